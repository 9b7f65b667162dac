//! One binary for all integration tests.
//!
//! `cfg(test)` is what lets clippy see that the functions around the tests are test code too.

#[cfg(test)]
mod algebra;
#[cfg(test)]
mod batches;
#[cfg(test)]
mod classification;
#[cfg(test)]
mod compositions;
#[cfg(test)]
mod distillation;
#[cfg(test)]
mod form;
#[cfg(test)]
mod gradients;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod link;
#[cfg(test)]
mod naive;
#[cfg(test)]
mod presets;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tape;
#[cfg(test)]
mod vectors;
