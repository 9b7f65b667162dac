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

    /// Parameters of a kernel, as the text declares it; `None` where it does not
    ///
    /// A driver reads as many arguments as the kernel has parameters, however many there are.
    #[must_use]
    pub fn n_parameters(&self, kernel: &str) -> Option<usize> {
        const DECLARED: &str = "extern \"C\" __global__ void ";
        self.text.split(DECLARED).skip(1).find_map(|declared| {
            let bounded = declared.strip_prefix("__launch_bounds__(").and_then(|rest| rest.split_once(") "));
            let list = bounded.map_or(declared, |(_, rest)| rest).strip_prefix(kernel)?.strip_prefix('(')?;
            let code: String = list.lines().map(|line| line.split("//").next().unwrap_or_default()).collect();
            let (parameters, _) = code.split_once(')')?;
            Some(if parameters.trim().is_empty() { 0 } else { parameters.split(',').count() })
        })
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
        &crate::distribution_distances::cuda::SOURCE,
        &crate::embedding::cuda::SOURCE,
        &crate::gather_divergences::cuda::SOURCE,
        &crate::gather_logps::cuda::SOURCE,
        &crate::gelu::cuda::SOURCE,
        &crate::layer_norm::cuda::SOURCE,
        &crate::log_collisions::cuda::SOURCE,
        &crate::rms_norm::cuda::SOURCE,
        &crate::rotary::cuda::SOURCE,
        &crate::scale_rows::cuda::SOURCE,
        &crate::segment_topk::cuda::SOURCE,
        &crate::sum_of_squares::cuda::SOURCE,
        &crate::swiglu::cuda::SOURCE,
    ];
    plain.into_iter().chain(&crate::attention::mma::SOURCES).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_counted_whatever_stands_between_them() {
        let text = "extern \"C\" __global__ void none() {}\n\
            extern \"C\" __global__ void __launch_bounds__(128) three(\n\
            const float *x, // [n], or (null\n  u32 n,\n  u32 d // d)\n) {}";
        let source = Source { op: "op", text, kernels: &["none", "three"] };
        let counted = ["none", "three", "thre", "other"].map(|kernel| source.n_parameters(kernel));
        assert_eq!(counted, [Some(0), Some(3), None, None]);
    }

    #[test]
    fn every_kernel_of_the_crate_is_declared_in_its_text() {
        for source in sources() {
            for kernel in source.kernels {
                assert!(source.n_parameters(kernel).is_some_and(|n| n > 0), "{} {kernel}", source.op);
            }
        }
    }
}
