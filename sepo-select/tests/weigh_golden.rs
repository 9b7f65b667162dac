//! The worked weights of the shared vectors, method by method.

#![expect(clippy::unwrap_used, reason = "a failure here fails the test")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use sepo_select::Side;
use sepo_select::weigh::{
    Affine, Decay, ExpClamp, RankLinear, SideRule, gap_mask, low_confidence_mask, rank_linear,
};
use serde_json::Value;

struct Vectors {
    inputs: BTreeMap<String, Vec<f64>>,
    cases: Value,
}

impl Vectors {
    /// `None`, and a line that says so, where they are absent.
    #[expect(clippy::print_stdout, reason = "a test says what it skips")]
    fn read() -> Option<Self> {
        let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/vectors/losses.json"));
        let Ok(json) = fs::read_to_string(path) else {
            println!("skipped: {} is absent", path.display());
            return None;
        };
        let mut json: Value = serde_json::from_str(&json).unwrap();
        let inputs = serde_json::from_value(json["inputs"].take()).unwrap();
        Some(Self { inputs, cases: json["cases"].take() })
    }

    /// An input without its padding: 5 chosen or 4 rejected tokens.
    fn input(&self, name: &str) -> &[f64] {
        &self.inputs[name][..if name.ends_with('c') { 5 } else { 4 }]
    }

    fn assert(&self, case: &str, weights: [Vec<f64>; 2]) {
        for (name, weights) in ["w_chosen", "w_rejected"].into_iter().zip(weights) {
            let expected: Vec<f64> = serde_json::from_value(self.cases[case][name].clone()).unwrap();
            assert!(expected[weights.len()..].iter().all(|w| *w == 0.0), "{case}: the rest is padding");
            for (weight, expected) in weights.iter().zip(&expected) {
                assert!((weight - expected).abs() <= 1e-12 * expected.abs(), "{case} {name}: {weights:?}");
            }
        }
    }
}

fn bits(mask: Vec<bool>) -> Vec<f64> {
    mask.into_iter().map(|is_set| f64::from(u8::from(is_set))).collect()
}

#[test]
fn weights_equal_the_worked_ones() {
    let Some(vectors) = Vectors::read() else { return };
    let each = |name: &str, weight: &dyn Fn(f64) -> f64| -> Vec<f64> {
        vectors.input(name).iter().map(|s| weight(*s)).collect()
    };

    let tis = ExpClamp::default();
    let weights = [
        each("d_c", &|d| tis.weight(d, SideRule::Same)),
        each("d_r", &|d| tis.weight(d, SideRule::Opposite)),
    ];
    for case in ["tis_paper", "tis_paper_kl", "mix_tis_x_simpo"] {
        vectors.assert(case, weights.clone());
    }

    // The closing end-of-sequence token is no candidate, and rejected tokens are ranked on −d.
    let ranked = |name: &str, sign: f64| {
        let scores: Vec<f64> = vectors.input(name).iter().map(|d| sign * d).collect();
        let (_, but_eos) = scores.split_last().unwrap();
        [rank_linear(but_eos, RankLinear::default()), vec![0.0]].concat()
    };
    vectors.assert("tis_rank_code", [ranked("d_c", 1.0), ranked("d_r", -1.0)]);

    let tgdpo = Affine::default();
    vectors.assert(
        "tgdpo",
        [
            each("s_c", &|s| tgdpo.weight(s, SideRule::Same)),
            each("s_r", &|s| tgdpo.weight(s, SideRule::Negate)),
        ],
    );

    let decay = |n| (0..n).map(|token| Decay::default().weight(token)).collect::<Vec<_>>();
    vectors.assert("d2po", [decay(5), decay(4)]);
    vectors.assert("mix_d2po_x_ipo", [decay(5), decay(4)]);

    let confident = |name| bits(low_confidence_mask(vectors.input(name)));
    vectors.assert("confpo", [confident("pc"), confident("pr")]);

    let gap = |side, policy, reference| {
        bits(gap_mask(side, vectors.input(policy), vectors.input(reference), 0.6).unwrap())
    };
    vectors.assert("selective_dpo_q0.6", [gap(Side::Chosen, "pc", "rc"), gap(Side::Rejected, "pr", "rr")]);
}
