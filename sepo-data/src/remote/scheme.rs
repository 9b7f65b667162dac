//! Who answers for a URL.

use super::RemoteError;

/// Who answers for a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    /// An object store, or a server of files.
    Cloud,
    /// The Hugging Face Hub.
    Hub,
}

impl Scheme {
    pub(super) fn of(url: &str) -> Result<Self, RemoteError> {
        let scheme = url.split("://").next().unwrap_or_default();
        match scheme.to_ascii_lowercase().as_str() {
            "https" | "http" | "s3" | "gs" | "az" | "abfs" | "abfss" => Ok(Self::Cloud),
            "hf" => Ok(Self::Hub),
            _ => Err(RemoteError::UnknownScheme { scheme: scheme.to_owned() }),
        }
    }

    /// The cargo feature that brings it.
    #[cfg(not(all(feature = "cloud", feature = "hub")))]
    pub(super) const fn feature(self) -> &'static str {
        match self {
            Self::Cloud => "cloud",
            Self::Hub => "hub",
        }
    }
}
