//! The rotary embedding's settings, in both styles of `config.json`.

use serde_json::Value;

use super::Family;
use super::keys::Keys;
use crate::ModelError;
use sepo_kernels::{RotaryConfig, RotaryScaling};

/// Rotary width, base and scaling.
///
/// Newer files hold everything in `rope_parameters`; older ones spread it over `rope_theta` and `rope_scaling`, and
/// GPT-NeoX over `rotary_emb_base` and `rotary_pct`.
pub(super) fn rotary_config(
    keys: Keys<'_>,
    family: Family,
    head_dim: usize,
) -> Result<RotaryConfig, ModelError> {
    let object = |key: &str| keys.get(key).and_then(Value::as_object).map(Keys);
    let parameters = object("rope_parameters");
    let neox = family == Family::GptNeoX;
    let (theta_key, share_key) =
        if neox { ("rotary_emb_base", "rotary_pct") } else { ("rope_theta", "partial_rotary_factor") };
    let default_share = if neox { 0.25 } else { 1.0 };

    let theta = match parameters {
        Some(p) if p.get("rope_theta").is_some() => p.number_or("rope_theta", 1e4)?,
        _ => keys.number_or(theta_key, keys.number_or("rope_theta", 1e4)?)?,
    };
    let share = match parameters {
        Some(p) if p.get("partial_rotary_factor").is_some() => p.number_or("partial_rotary_factor", 1.0)?,
        _ => keys.number_or(share_key, keys.number_or("partial_rotary_factor", default_share)?)?,
    };
    if share > 1.0 {
        let expected = "a share of at most 1";
        return Err(ModelError::ConfigValue {
            key: "partial_rotary_factor",
            found: share.to_string(),
            expected,
        });
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "int(head_dim * share), as transformers computes it; share is in (0, 1]"
    )]
    let rotary_dim = (head_dim as f64 * share) as usize;
    let scaling = match parameters.or_else(|| object("rope_scaling")) {
        Some(p) => scaling(p)?,
        None => RotaryScaling::None,
    };
    Ok(RotaryConfig { rotary_dim, theta, scaling })
}

fn scaling(keys: Keys<'_>) -> Result<RotaryScaling, ModelError> {
    let kind = keys.get("rope_type").or_else(|| keys.get("type"));
    match kind.map(|value| value.as_str().unwrap_or_default()) {
        None | Some("default") => Ok(RotaryScaling::None),
        Some("linear") => Ok(RotaryScaling::Linear { factor: keys.number_or("factor", 1.0)? }),
        Some("llama3") => Ok(RotaryScaling::Llama3 {
            factor: keys.number_or("factor", 8.0)?,
            low_freq_factor: keys.number_or("low_freq_factor", 1.0)?,
            high_freq_factor: keys.number_or("high_freq_factor", 4.0)?,
            original_max_position: keys.size_or("original_max_position_embeddings", Some(8192))?,
        }),
        Some(_) => Err(ModelError::ConfigValue {
            key: "rope_type",
            found: kind.map(Value::to_string).unwrap_or_default(),
            expected: "`default`, `linear` or `llama3`",
        }),
    }
}
