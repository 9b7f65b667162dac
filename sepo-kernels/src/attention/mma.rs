//! The texts of the tensor-core form: one for each size of a head, which is a constant in front of it

use crate::device::Source;

const KERNELS: &[&str] = &["attention", "attention_backward_queries", "attention_backward_keys"];

pub(crate) static SOURCES: [Source; 5] = [
    Source {
        op: "attention_mma_32",
        text: concat!("const u32 HD = 32;\n#line 1\n", include_str!("attention_mma.cu")),
        kernels: KERNELS,
    },
    Source {
        op: "attention_mma_64",
        text: concat!("const u32 HD = 64;\n#line 1\n", include_str!("attention_mma.cu")),
        kernels: KERNELS,
    },
    Source {
        op: "attention_mma_80",
        text: concat!("const u32 HD = 80;\n#line 1\n", include_str!("attention_mma.cu")),
        kernels: KERNELS,
    },
    Source {
        op: "attention_mma_96",
        text: concat!("const u32 HD = 96;\n#line 1\n", include_str!("attention_mma.cu")),
        kernels: KERNELS,
    },
    Source {
        op: "attention_mma_128",
        text: concat!("const u32 HD = 128;\n#line 1\n", include_str!("attention_mma.cu")),
        kernels: KERNELS,
    },
];

/// The text for heads of this size, where there is one
pub(super) fn mma_source(head_dim: usize) -> Option<&'static Source> {
    let sizes = [32, 64, 80, 96, 128];
    sizes.iter().position(|&size| size == head_dim).map(|i| &SOURCES[i])
}
