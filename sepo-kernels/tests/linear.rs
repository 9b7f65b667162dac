//! Linear maps against `f64` sums

mod naive;

use naive::{assert_close, cases, values, wide};
use proptest::prelude::*;
use sepo_kernels::{LinearShape, Precision, Write, linear, linear_backward_input, linear_backward_weight};

proptest! {
    #![proptest_config(cases(96))]

    #[test]
    fn agrees_with_sums(n_rows in 0_usize..40, d_in in 0_usize..70, d_out in 0_usize..70, seed in 0_u64..1000) {
        let shape = LinearShape { n_rows, d_in, d_out };
        let (x, weight) = (values(seed, n_rows * d_in, 1.0), values(seed + 1, d_out * d_in, 1.0));
        let dy = values(seed + 2, n_rows * d_out, 1.0);
        let (x64, weight64, dy64) = (wide(&x), wide(&weight), wide(&dy));
        let (mut y_expected, mut dx_expected) = (vec![0.0; n_rows * d_out], vec![0.0; n_rows * d_in]);
        let mut dweight_expected = weight64.clone();
        for r in 0..n_rows {
            for o in 0..d_out {
                for i in 0..d_in {
                    y_expected[r * d_out + o] += x64[r * d_in + i] * weight64[o * d_in + i];
                    dx_expected[r * d_in + i] += dy64[r * d_out + o] * weight64[o * d_in + i];
                    dweight_expected[o * d_in + i] += dy64[r * d_out + o] * x64[r * d_in + i];
                }
            }
        }
        let mut y = vec![f32::NAN; n_rows * d_out];
        linear(&x, &weight, &mut y, shape, Write::Overwrite, Precision::F32);
        assert_close(&y, &y_expected, 2e-6);
        linear(&x, &weight, &mut y, shape, Write::Add, Precision::F32);
        assert_close(&y, &y_expected.iter().map(|y| 2.0 * y).collect::<Vec<_>>(), 2e-6);
        let mut dx = vec![f32::NAN; n_rows * d_in];
        linear_backward_input(&dy, &weight, &mut dx, shape, Write::Overwrite, Precision::F32);
        assert_close(&dx, &dx_expected, 2e-6);
        let mut dweight = weight.clone();
        linear_backward_weight(&x, &dy, &mut dweight, shape, Precision::F32);
        assert_close(&dweight, &dweight_expected, 2e-6);
    }
}

#[test]
#[should_panic(expected = "the weight must be [2, 3]")]
fn names_the_slice_of_the_wrong_shape() {
    linear(
        &[0.0; 3],
        &[0.0; 5],
        &mut [0.0; 2],
        LinearShape { n_rows: 1, d_in: 3, d_out: 2 },
        Write::Add,
        Precision::F32,
    );
}

/// In a release build the products of the sizes wrapped to the lengths of the slices, and the product was written past `y`.
#[test]
fn sizes_whose_product_wraps_are_refused() {
    let shape = LinearShape { n_rows: (1 << 63) + 1, d_in: 2, d_out: 2 };
    let (x, weight) = ([1.0; 2], [1.0; 4]);
    for precision in [Precision::F32, Precision::Bf16] {
        let calls: [Box<dyn Fn()>; 3] = [
            Box::new(move || linear(&x, &weight, &mut [0.0; 2], shape, Write::Overwrite, precision)),
            Box::new(move || {
                linear_backward_input(&x, &weight, &mut [0.0; 2], shape, Write::Overwrite, precision)
            }),
            Box::new(move || linear_backward_weight(&x, &x, &mut [0.0; 4], shape, precision)),
        ];
        for call in calls {
            let refused =
                std::panic::catch_unwind(std::panic::AssertUnwindSafe(call)).expect_err("a refusal");
            let said = refused.downcast_ref::<String>().expect("a message");
            assert!(said.contains("the input side must be [9223372036854775809, 2]"), "{said}");
        }
    }
}
