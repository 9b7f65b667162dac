//! Numbers that stand in device memory

/// The upper half of an `f32`: a sign, 8 bits of exponent, 7 of mantissa
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct Bf16(u16);

impl Bf16 {
    /// The nearest bf16, of two the one with an even mantissa; a not-a-number stays one
    ///
    /// # Examples
    /// ```
    /// use sepo_kernels::cuda::Bf16;
    ///
    /// assert_eq!(Bf16::from_f32(1.0 + 1.0 / 256.0).to_f32(), 1.0); // a tie: to even
    /// assert!(Bf16::from_f32(f32::NAN).to_f32().is_nan());
    /// ```
    #[must_use]
    pub fn from_f32(x: f32) -> Self {
        let bits = x.to_bits();
        if x.is_nan() {
            return Self((bits >> 16) as u16 | 0x40);
        }
        Self(((bits + 0x7fff + ((bits >> 16) & 1)) >> 16) as u16)
    }

    /// The same number as an `f32`
    #[must_use]
    pub fn to_f32(self) -> f32 {
        f32::from_bits(u32::from(self.0) << 16)
    }
}

/// Which type a pointer argument of a kernel has
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ElementKind {
    /// `float`
    F32,
    /// `double`
    F64,
    /// `u32`
    U32,
    /// `bf16`
    Bf16,
}

impl ElementKind {
    /// Bytes of one value
    #[must_use]
    pub fn bytes(self) -> usize {
        match self {
            Self::Bf16 => 2,
            Self::F32 | Self::U32 => 4,
            Self::F64 => 8,
        }
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
    impl Sealed for u32 {}
    impl Sealed for super::Bf16 {}
}

/// A type that kernels read and write: plain bytes, every pattern of which is a value
pub trait Element: Copy + Default + std::fmt::Debug + Send + Sync + 'static + sealed::Sealed {
    /// The same, as a value
    const KIND: ElementKind;
}

impl Element for f32 {
    const KIND: ElementKind = ElementKind::F32;
}

impl Element for f64 {
    const KIND: ElementKind = ElementKind::F64;
}

impl Element for u32 {
    const KIND: ElementKind = ElementKind::U32;
}

impl Element for Bf16 {
    const KIND: ElementKind = ElementKind::Bf16;
}

/// A type of activations and weights; every kernel on them has a symbol for each
pub trait Float: Element {
    /// Values in 16 bytes, the widest load of a thread
    const WIDTH: usize;

    /// That of two names which is for this type
    fn pick(of_f32: &'static str, of_bf16: &'static str) -> &'static str;

    /// The nearest value of this type
    fn of_f32(x: f32) -> Self;

    /// The same number
    fn into_f32(self) -> f32;
}

impl Float for f32 {
    const WIDTH: usize = 4;

    fn pick(of_f32: &'static str, _: &'static str) -> &'static str {
        of_f32
    }

    fn of_f32(x: f32) -> Self {
        x
    }

    fn into_f32(self) -> f32 {
        self
    }
}

impl Float for Bf16 {
    const WIDTH: usize = 8;

    fn pick(_: &'static str, of_bf16: &'static str) -> &'static str {
        of_bf16
    }

    fn of_f32(x: f32) -> Self {
        Self::from_f32(x)
    }

    fn into_f32(self) -> f32 {
        self.to_f32()
    }
}
