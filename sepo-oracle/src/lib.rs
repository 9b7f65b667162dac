//! The DPO oracle of SePO (arXiv 2408.13518): two models that together are a token-level reward function.
//!
//! A *reference* is made by supervised fine-tuning of a small base model on chosen responses, an *oracle* from it by DPO
//! on a moderate share of the pairs. For any response token, `log π_oracle − log π_reference` then says how much the
//! preference is for or against it; `sepo-select` computes and ranks these scores.
//!
//! * [`Subset::draw`] picks the pairs that both models may see; the others stay held out.
//! * [`train_reference`] and [`train_oracle`] run the two stages, each resumable like any run of `sepo_train`.
//! * [`stored_reference_logps`] computes the reference's log-probs once and keeps them beside the run.
//!
//! Not here: scoring and selection (`sepo-select`), reading data (`sepo-data`), the optimizer loop (`sepo-train`).
//!
//! # Examples
//!
//! ```
//! use sepo_oracle::Subset;
//!
//! let subset = Subset::draw(10, 0.3, 7)?;
//! assert_eq!((subset.used.len(), subset.held_out.len()), (3, 7));
//! # Ok::<(), sepo_oracle::OracleError>(())
//! ```

#![forbid(unsafe_code)]

mod error;
mod reference;
mod reference_pass;
mod stored;
mod subset;
mod tune;

pub use error::OracleError;
pub use reference::train_reference;
pub use reference_pass::ReferencePass;
pub use stored::{
    Origin, REFERENCE_LOGPS_FILE, stored_reference_logps, stored_reference_logps_of_each,
    stored_reference_logps_on,
};
pub use subset::Subset;
pub use tune::{DpoConfig, train_oracle};
