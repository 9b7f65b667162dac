//! Guards: what goes wrong slowly in preference training, seen while it does.
//!
//! A guard reads the metrics that a run makes anyway and says with numbers when something is wrong; it says it again only
//! when that has become worse. A run warns, or stops where [`TrainConfig::stop_on`](crate::TrainConfig::stop_on) names the
//! guard. Guards are part of a checkpoint, so a resumed run says the same at the same steps as one that never stopped.
//!
//! | guard | watches | says |
//! |---|---|---|
//! | [`LossRise`](GuardName::LossRise) | the smoothed loss against its best | a rise beyond `loss_watchdog` |
//! | [`Displacement`](GuardName::Displacement) | log-probs of chosen tokens, selected and unselected apart | a fall of half a nat |
//! | [`LengthBias`](GuardName::LengthBias) | margins against the difference of lengths | a correlation above 0.5 |

mod alarm;
mod displacement;
mod length_bias;
mod level;
mod loss_rise;
mod repetition;
mod setting_range;
mod smooth;
mod watch;

pub use alarm::{Alarm, GuardName, TokenGroup};
pub use repetition::Repetition;
pub use setting_range::{UnusualSetting, unusual_settings};
pub(crate) use watch::Guards;
