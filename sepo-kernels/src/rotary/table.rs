//! Cosines and sines of every position and frequency

/// Which values of a head are rotated, and how fast
#[derive(Clone, Debug, PartialEq)]
pub struct RotaryConfig {
    /// values at the start of each head that are rotated; even, at most the head's width
    pub rotary_dim: usize,
    /// base of the frequencies: frequency `i` is `theta^(-2 i / rotary_dim)`
    pub theta: f64,
    /// change of the frequencies for longer contexts
    pub scaling: RotaryScaling,
}

/// How the frequencies are stretched for contexts longer than those a model was first trained on
#[derive(Clone, Debug, PartialEq)]
pub enum RotaryScaling {
    /// Not at all
    None,
    /// All frequencies divided by `factor`
    Linear {
        /// how many times longer the context is
        factor: f64,
    },
    /// Low frequencies divided by `factor`, high ones kept, those between blended (Llama 3.1)
    Llama3 {
        /// how many times longer the context is
        factor: f64,
        /// wavelengths above `original_max_position / low_freq_factor` are divided
        low_freq_factor: f64,
        /// wavelengths below `original_max_position / high_freq_factor` are kept
        high_freq_factor: f64,
        /// context of the first training, in tokens
        original_max_position: usize,
    },
}

/// Cosine and sine of every (position, frequency), in the `f32` steps of `transformers`
///
/// Inverse frequencies, angles, cosines and sines are each rounded to `f32`, as there; a table in `f64` would differ
/// from the model's training at far positions.
#[derive(Clone, Debug, PartialEq)]
pub struct RotaryTable {
    rotary_dim: usize,
    n_positions: usize,
    // [n_positions, rotary_dim / 2]
    cos: Vec<f32>,
    sin: Vec<f32>,
}

impl RotaryTable {
    /// The table of positions `0..n_positions`
    ///
    /// # Panics
    /// Where `rotary_dim` is odd.
    ///
    /// # Examples
    /// ```
    /// use sepo_kernels::{RotaryConfig, RotaryScaling, RotaryTable};
    ///
    /// let config = RotaryConfig { rotary_dim: 4, theta: 100.0, scaling: RotaryScaling::Linear { factor: 2.0 } };
    /// let table = RotaryTable::new(&config, 3);
    /// assert_eq!(table.cos(2), [1.0_f32.cos(), 0.1_f32.cos()]);
    /// ```
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "rounding to f32 is the point")]
    pub fn new(config: &RotaryConfig, n_positions: usize) -> Self {
        assert!(config.rotary_dim.is_multiple_of(2), "{} rotary values do not pair up", config.rotary_dim);
        let inv_freq = inverse_frequencies(config);
        let mut cos = Vec::with_capacity(n_positions * inv_freq.len());
        let mut sin = Vec::with_capacity(n_positions * inv_freq.len());
        for position in 0..n_positions {
            for inv_freq in &inv_freq {
                let angle = f64::from(position as f32 * inv_freq);
                cos.push(angle.cos() as f32);
                sin.push(angle.sin() as f32);
            }
        }
        Self { rotary_dim: config.rotary_dim, n_positions, cos, sin }
    }

    /// Values at the start of each head that are rotated
    #[must_use]
    pub fn rotary_dim(&self) -> usize {
        self.rotary_dim
    }

    /// Positions the table covers
    #[must_use]
    pub fn n_positions(&self) -> usize {
        self.n_positions
    }

    /// Cosines and sines of all positions, each `[n_positions, rotary_dim / 2]`
    #[must_use]
    pub fn all(&self) -> [&[f32]; 2] {
        [&self.cos, &self.sin]
    }

    /// Cosines at `position`, `[rotary_dim / 2]`
    ///
    /// # Panics
    /// Where `position` is not below [`n_positions`](Self::n_positions).
    #[must_use]
    pub fn cos(&self, position: usize) -> &[f32] {
        let half = self.rotary_dim / 2;
        &self.cos[position * half..(position + 1) * half]
    }

    /// Sines at `position`, `[rotary_dim / 2]`
    ///
    /// # Panics
    /// Where `position` is not below [`n_positions`](Self::n_positions).
    #[must_use]
    pub fn sin(&self, position: usize) -> &[f32] {
        let half = self.rotary_dim / 2;
        &self.sin[position * half..(position + 1) * half]
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the reference holds these numbers as f32")]
fn inverse_frequencies(config: &RotaryConfig) -> Vec<f32> {
    let base = f64::from(config.theta as f32);
    let frequencies = (0..config.rotary_dim / 2).map(|i| {
        let exponent = (2 * i) as f32 / config.rotary_dim as f32;
        1.0 / (base.powf(f64::from(exponent)) as f32)
    });
    match config.scaling {
        RotaryScaling::None => frequencies.collect(),
        RotaryScaling::Linear { factor } => frequencies.map(|inv_freq| inv_freq / factor as f32).collect(),
        RotaryScaling::Llama3 { factor, low_freq_factor, high_freq_factor, original_max_position } => {
            let (factor, context) = (factor as f32, original_max_position as f64);
            let longest = (context / low_freq_factor) as f32;
            let shortest = (context / high_freq_factor) as f32;
            let (low, range) = (low_freq_factor as f32, (high_freq_factor - low_freq_factor) as f32);
            frequencies
                .map(|inv_freq| {
                    let wavelength = (2.0 * std::f64::consts::PI) as f32 / inv_freq;
                    if wavelength > longest {
                        inv_freq / factor
                    } else if wavelength < shortest {
                        inv_freq
                    } else {
                        let smooth = (context as f32 / wavelength - low) / range;
                        (1.0 - smooth) * inv_freq / factor + smooth * inv_freq
                    }
                })
                .collect()
        }
    }
}
