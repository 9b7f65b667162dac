use crate::machine::{Machine, machines};
use crate::rounding::{Rounded, assert_rounded, floats, values};
use sepo_kernels::cuda::{self, Bf16, partials_len};
use sepo_kernels::{LayerNormForward, LayerNormGrads, Write, layer_norm, layer_norm_backward};

fn compare<T: Rounded>(on: &Machine, n_rows: usize, d: usize, write: Write) {
    let n = n_rows * d;
    let (weight, bias) = (values::<T>(3, d, 1.5), values::<T>(4, d, 1.5));
    let (x, dy, before) = (values::<T>(1, n, 3.0), values::<T>(5, n, 1.0), values::<T>(6, n, 1.0));
    let eps = 1e-5;

    let (wide_x, wide_weight, wide_bias) = (floats(&x), floats(&weight), floats(&bias));
    let (mut y, mut mean, mut inv_std) = (vec![0.0; n], vec![0.0; n_rows], vec![0.0; n_rows]);
    layer_norm(&wide_x, &wide_weight, &wide_bias, eps, &mut y, &mut mean, &mut inv_std);
    let (at_x, at_weight, at_bias) = (on.memory(&x), on.memory(&weight), on.memory(&bias));
    let (mut at_y, mut at_mean) = (on.garbage::<T>(n), on.garbage::<f32>(n_rows));
    let mut at_inv_std = on.garbage::<f32>(n_rows);
    let (at, weight, bias) = (at_x.slice(), at_weight.slice(), at_bias.slice());
    let output = cuda::LayerNormOutput {
        y: at_y.slice_mut(),
        mean: at_mean.slice_mut(),
        inv_std: at_inv_std.slice_mut(),
    };
    cuda::layer_norm(on, cuda::LayerNormInput { x: at, weight, bias, eps }, output).expect("a launch");
    assert_rounded(&at_y.read(), &y, 2e-6);
    assert_rounded(&at_mean.read(), &mean, 1e-6);
    assert_rounded(&at_inv_std.read(), &inv_std, 2e-6);

    let (mut dx, mut dweight, mut dbias) = (floats(&before), vec![0.5; d], vec![0.25; d]);
    let forward = LayerNormForward { x: &wide_x, weight: &wide_weight, mean: &mean, inv_std: &inv_std };
    let grads = LayerNormGrads { dx: &mut dx, dweight: &mut dweight, dbias: &mut dbias };
    layer_norm_backward(forward, &floats(&dy), grads, write);
    let (at_dy, at_mean, at_inv_std) = (on.memory(&dy), on.memory(&mean), on.memory(&inv_std));
    let mut at_dx = on.memory(&before);
    let (mut at_dweight, mut at_dbias) = (on.memory(&vec![0.5_f32; d]), on.memory(&vec![0.25_f32; d]));
    let mut partials = on.garbage(2 * partials_len(n_rows, d));
    let forward = cuda::LayerNormForward {
        x: at_x.slice(),
        weight,
        mean: at_mean.slice(),
        inv_std: at_inv_std.slice(),
    };
    let grads = cuda::LayerNormGrads {
        dx: at_dx.slice_mut(),
        dweight: at_dweight.slice_mut(),
        dbias: at_dbias.slice_mut(),
        partials: partials.slice_mut(),
    };
    cuda::layer_norm_backward(on, forward, at_dy.slice(), grads, write).expect("a launch");
    assert_rounded(&at_dx.read(), &dx, 4e-6);
    assert_rounded(&at_dweight.read(), &dweight, 4e-6);
    assert_rounded(&at_dbias.read(), &dbias, 4e-6);
}

#[test]
fn agrees_with_the_cpu_form() {
    for on in machines() {
        for (n_rows, d) in [(0, 8), (3, 7), (5, 64), (2, 1000), (300, 24)] {
            for write in [Write::Overwrite, Write::Add] {
                compare::<f32>(&on, n_rows, d, write);
                compare::<Bf16>(&on, n_rows, d, write);
            }
        }
    }
}
