//! A composition as keys of a table.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::composition::{Comparison, Composition, PairWeight, Weighting};
use crate::error::LossError;
use crate::link::Link;
use crate::margin::Margin;
use crate::partition::{Pairing, Partition, UnitSum};
use crate::reduction::Reduction;
use crate::regularizer::Regularizers;
use crate::side_link::SideLink;
use crate::statistic::Statistic;
use crate::transform::Transform;

/// A [`Composition`], or what is to be another in one, as it is written in a file.
///
/// Every key takes the place of that choice, whole; one that is left out leaves the choice as it was. Choices are named in lower
/// case with hyphens, their numbers as in this crate: `link = { logistic = { label_smoothing = 0.1 } }`, `reduction = "weight-sum"`.
///
/// # Examples
///
/// ```
/// use sepo_loss::{Composition, CompositionForm, Link, Preset};
///
/// let form: CompositionForm = toml::from_str("beta = 0.3\nlink = 'hinge'")?;
/// let dpo = Preset::find("dpo").unwrap().objective(&[])?.composition().unwrap();
/// let changed = form.over(dpo)?;
/// assert_eq!(changed.beta, 0.3);
/// assert_eq!(changed, Composition { beta: 0.3, ..dpo }.comparing(sepo_loss::Margin::Constant(0.0), Link::Hinge));
/// assert_eq!(CompositionForm::from(changed).over(Composition::default())?, changed);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CompositionForm {
    /// `u_t`: `rho` (1) and `divergence` (none).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statistic: Option<Statistic>,
    /// Whether weights are constants.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weighting: Option<Weighting>,
    /// `N`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reduction: Option<Reduction>,
    /// What is compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partition: Option<Partition>,
    /// Which part with which.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pairing: Option<Pairing>,
    /// How comparisons add up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit_sum: Option<UnitSum>,
    /// `h`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transform: Option<Transform>,
    /// β.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beta: Option<f64>,
    /// Γ, where responses are compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub margin: Option<Margin>,
    /// `φ`, where responses are compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<Link>,
    /// `φ`, where each response is looked at by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub side_link: Option<SideLink>,
    /// `ω`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pair_weight: Option<PairWeight>,
    /// `s`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scale: Option<f64>,
    /// What is added; all of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub regularizers: Option<Regularizers>,
}

impl CompositionForm {
    /// All keys, in order.
    pub const KEYS: [&str; 14] = [
        "statistic",
        "weighting",
        "reduction",
        "partition",
        "pairing",
        "unit_sum",
        "transform",
        "beta",
        "margin",
        "link",
        "side_link",
        "pair_weight",
        "scale",
        "regularizers",
    ];

    /// Whether nothing is written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The composition that `start` becomes, unchecked but for what follows.
    ///
    /// A `margin` or a `link` where `start` compares nothing makes it compare responses, with no margin and a logistic link where
    /// that is not said.
    ///
    /// # Errors
    ///
    /// [`LossError::Composition`] where `side_link` stands beside `margin` or `link`.
    pub fn over(self, start: Composition) -> Result<Composition, LossError> {
        Ok(Composition {
            statistic: self.statistic.unwrap_or(start.statistic),
            weighting: self.weighting.unwrap_or(start.weighting),
            reduction: self.reduction.unwrap_or(start.reduction),
            partition: self.partition.unwrap_or(start.partition),
            pairing: self.pairing.unwrap_or(start.pairing),
            unit_sum: self.unit_sum.unwrap_or(start.unit_sum),
            transform: self.transform.unwrap_or(start.transform),
            beta: self.beta.unwrap_or(start.beta),
            comparison: self.comparison(start.comparison)?,
            pair_weight: self.pair_weight.unwrap_or(start.pair_weight),
            scale: self.scale.unwrap_or(start.scale),
            regularizers: self.regularizers.unwrap_or(start.regularizers),
        })
    }

    fn comparison(&self, start: Comparison) -> Result<Comparison, LossError> {
        let (margin, link) = match start {
            Comparison::Pairs { margin, link } => (margin, link),
            Comparison::Sides(_) => (Margin::Constant(0.0), Link::Logistic { label_smoothing: 0.0 }),
        };
        let pairs =
            Comparison::Pairs { margin: self.margin.unwrap_or(margin), link: self.link.unwrap_or(link) };
        match (self.side_link, self.margin.is_some() || self.link.is_some()) {
            (None, false) => Ok(start),
            (None, true) => Ok(pairs),
            (Some(link), false) => Ok(Comparison::Sides(link)),
            (Some(_), true) => Err(LossError::Composition {
                objective: "composed",
                part: "side_link",
                reason: "`side_link` looks at each response by itself, and `margin` and `link` compare the two",
            }),
        }
    }
}

impl From<Composition> for CompositionForm {
    fn from(whole: Composition) -> Self {
        let (margin, link, side_link) = match whole.comparison {
            Comparison::Pairs { margin, link } => (Some(margin), Some(link), None),
            Comparison::Sides(link) => (None, None, Some(link)),
        };
        Self {
            statistic: Some(whole.statistic),
            weighting: Some(whole.weighting),
            reduction: Some(whole.reduction),
            partition: Some(whole.partition),
            pairing: Some(whole.pairing),
            unit_sum: Some(whole.unit_sum),
            transform: Some(whole.transform),
            beta: Some(whole.beta),
            margin,
            link,
            side_link,
            pair_weight: Some(whole.pair_weight),
            scale: Some(whole.scale),
            regularizers: Some(whole.regularizers),
        }
    }
}

impl TryFrom<CompositionForm> for Composition {
    type Error = LossError;

    fn try_from(form: CompositionForm) -> Result<Self, LossError> {
        form.over(Self::default())
    }
}

impl Serialize for Composition {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        CompositionForm::from(*self).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Composition {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::try_from(CompositionForm::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}
