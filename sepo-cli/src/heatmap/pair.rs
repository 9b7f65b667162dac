use serde::{Deserialize, Serialize};

/// One preference pair to draw: its prompt, and a side for each response.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HeatmapPair {
    /// Heading, such as `row 17`.
    pub title: String,
    /// The prompt as text; it carries no scores.
    pub prompt: String,
    /// Usually two: `chosen` and `rejected`.
    pub sides: Vec<HeatmapSide>,
}

/// One response of a pair.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HeatmapSide {
    /// `chosen` or `rejected`.
    pub name: String,
    /// The response's tokens in order; the index is the token's position in the response.
    pub tokens: Vec<HeatmapToken>,
}

/// One response token with what is known about it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HeatmapToken {
    /// The token's own text, with the space that belongs to it.
    pub text: String,
    /// `oracle_logp − reference_logp`, in nats; `None` where the token was not scored.
    pub score: Option<f32>,
    /// Whether the selection kept the token.
    pub selected: bool,
    /// What the token is known to do, where the data was planted.
    #[serde(default)]
    pub planted: Option<Quality>,
    /// The oracle's log-probability of this token, in nats.
    #[serde(default)]
    pub oracle_logp: Option<f32>,
    /// The reference's log-probability of this token, in nats.
    #[serde(default)]
    pub reference_logp: Option<f32>,
}

/// What a planted span does to the utility of its response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quality {
    /// Raises the utility.
    Good,
    /// Lowers the utility.
    Bad,
}

impl Quality {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Bad => "bad",
        }
    }

    pub(super) fn mark(self) -> char {
        match self {
            Self::Good => '+',
            Self::Bad => '-',
        }
    }
}

impl HeatmapSide {
    pub(super) fn n_selected(&self) -> usize {
        self.tokens.iter().filter(|token| token.selected).count()
    }

    /// The mean of the scores that are there, or `None` where no token has one.
    pub(super) fn mean_score(&self) -> Option<f64> {
        let scores: Vec<f64> = self.tokens.iter().filter_map(|token| token.score).map(f64::from).collect();
        #[expect(clippy::cast_precision_loss, reason = "a response is shorter than 2^52 tokens")]
        let n = scores.len() as f64;
        (!scores.is_empty()).then(|| scores.iter().sum::<f64>() / n)
    }

    /// `41 tokens, 12 selected, mean score +0.132`.
    pub(super) fn summary(&self) -> String {
        let mut summary = format!("{} tokens, {} selected", self.tokens.len(), self.n_selected());
        if let Some(mean) = self.mean_score() {
            summary.push_str(&format!(", mean score {mean:+.3}"));
        }
        summary
    }
}

impl HeatmapPair {
    pub(super) fn has_planted(&self) -> bool {
        self.sides.iter().flat_map(|side| &side.tokens).any(|token| token.planted.is_some())
    }
}
