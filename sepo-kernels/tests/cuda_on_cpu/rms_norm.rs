use crate::machine::{Machine, machines};
use crate::rounding::{Rounded, assert_rounded, floats, values};
use sepo_kernels::cuda::{self, Bf16, RmsNormForward, RmsNormGrads, RmsNormInput, partials_len};
use sepo_kernels::{Write, rms_norm, rms_norm_backward};

fn compare<T: Rounded>(on: &Machine, n_rows: usize, d: usize, write: Write) {
    let n = n_rows * d;
    let (x, dy, before) = (values::<T>(1, n, 3.0), values::<T>(4, n, 1.0), values::<T>(5, n, 1.0));
    let (weight, eps) = (values::<T>(3, d, 1.5), 1e-5);

    let (mut y, mut inv_rms) = (vec![0.0; n], vec![0.0; n_rows]);
    rms_norm(&floats(&x), &floats(&weight), eps, &mut y, &mut inv_rms);
    let (at_x, at_weight) = (on.memory(&x), on.memory(&weight));
    let (mut at_y, mut at_inv_rms) = (on.garbage::<T>(n), on.garbage::<f32>(n_rows));
    let input = RmsNormInput { x: at_x.slice(), weight: at_weight.slice(), eps };
    cuda::rms_norm(on, input, at_y.slice_mut(), at_inv_rms.slice_mut()).expect("a launch");
    assert_rounded(&at_y.read(), &y, 1e-6);
    assert_rounded(&at_inv_rms.read(), &inv_rms, 1e-6);

    let (mut dx, mut dweight) = (floats(&before), vec![0.5; d]);
    let (x, weight) = (floats(&x), floats(&weight));
    rms_norm_backward(&x, &weight, &inv_rms, &floats(&dy), &mut dx, &mut dweight, write);
    let (at_dy, at_inv_rms) = (on.memory(&dy), on.memory(&inv_rms));
    let (mut at_dx, mut at_dweight) = (on.memory(&before), on.memory(&vec![0.5_f32; d]));
    let mut partials = on.garbage(partials_len(n_rows, d));
    let forward = RmsNormForward { x: at_x.slice(), weight: at_weight.slice(), inv_rms: at_inv_rms.slice() };
    let grads = RmsNormGrads {
        dx: at_dx.slice_mut(),
        dweight: at_dweight.slice_mut(),
        partials: partials.slice_mut(),
    };
    cuda::rms_norm_backward(on, forward, at_dy.slice(), grads, write).expect("a launch");
    assert_rounded(&at_dx.read(), &dx, 2e-6);
    assert_rounded(&at_dweight.read(), &dweight, 2e-6);
}

#[test]
fn agrees_with_the_cpu_form() {
    for on in machines() {
        for (n_rows, d) in [(0, 8), (1, 1), (3, 7), (5, 64), (2, 1000), (300, 24)] {
            for write in [Write::Overwrite, Write::Add] {
                compare::<f32>(&on, n_rows, d, write);
                compare::<Bf16>(&on, n_rows, d, write);
            }
        }
    }
}
