//! The texts of the kernels

/// The text of the kernels of one operation
#[derive(Debug)]
pub struct Source {
    /// the operation, and the name of the file
    pub op: &'static str,
    /// the file
    pub text: &'static str,
    /// its symbols
    pub kernels: &'static [&'static str],
}

const GPU: &str = include_str!("gpu.cuh");
const PRELUDE: &str = include_str!("prelude.cuh");

impl Source {
    /// What a compiler for a GPU gets: what only a GPU knows, what all kernels may use, and the kernels
    #[must_use]
    pub fn for_gpu(&self) -> String {
        [GPU, PRELUDE, self.text].concat()
    }

    /// What all kernels may use, without what only a GPU knows
    #[must_use]
    pub fn prelude() -> &'static str {
        PRELUDE
    }
}

/// Every text of this crate
#[must_use]
pub fn sources() -> Vec<&'static Source> {
    let plain = [
        &super::partials::SOURCE,
        &crate::adamw::cuda::SOURCE,
        &crate::attention::cuda::SOURCE,
        &crate::bias::cuda::SOURCE,
        &crate::embedding::cuda::SOURCE,
        &crate::gather_divergences::cuda::SOURCE,
        &crate::gather_logps::cuda::SOURCE,
        &crate::gelu::cuda::SOURCE,
        &crate::layer_norm::cuda::SOURCE,
        &crate::rms_norm::cuda::SOURCE,
        &crate::rotary::cuda::SOURCE,
        &crate::segment_topk::cuda::SOURCE,
        &crate::sum_of_squares::cuda::SOURCE,
        &crate::swiglu::cuda::SOURCE,
    ];
    plain.into_iter().chain(&crate::attention::mma::SOURCES).collect()
}
