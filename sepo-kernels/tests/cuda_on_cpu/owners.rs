//! That memory of one executor is nothing that another touches

use crate::machine::{Machine, said_by};
use crate::process::OnCpu;
use sepo_kernels::Gelu;
use sepo_kernels::cuda;

#[test]
fn memory_of_another_executor_is_refused() {
    let (Some(one), Some(other)) = (OnCpu::new(1), OnCpu::new(1)) else { return };
    let (one, other) = (Machine::cpu(one), Machine::cpu(other));
    let (x, of_one, of_other) = (one.memory(&[1.0_f32]), one.garbage::<f32>(1), other.garbage::<f32>(1));
    for mut y in [of_one, of_other] {
        let said = said_by(|| cuda::gelu(&other, x.slice(), y.slice_mut(), Gelu::Exact));
        assert!(said.contains("points into memory of another executor"), "{said}");
    }
}
