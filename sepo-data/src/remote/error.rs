//! Why something elsewhere could not be had.

use std::io;
use std::path::PathBuf;

/// Why something elsewhere could not be had. No field holds a credential.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RemoteError {
    /// Nobody answers for the scheme.
    #[error("`{scheme}` is no scheme that is read; there are https, s3, gs, az, abfs, abfss and hf")]
    UnknownScheme {
        /// What stands before `://`.
        scheme: String,
    },
    /// The program has no part for it.
    #[error("this program was built without the feature `{feature}`, which reads such a URL")]
    NotBuiltIn {
        /// The cargo feature.
        feature: &'static str,
    },
    /// The URL is not of the form of its scheme.
    #[error("the URL cannot be read: {reason}")]
    Malformed {
        /// What is wrong with it.
        reason: String,
    },
    /// Nothing is there under this name.
    #[error("nothing is there that fits")]
    Nothing,
    /// It would have to be fetched, and that is forbidden.
    #[error("it is not in the cache `{}`, and `HF_HUB_OFFLINE` forbids to fetch it", cache.display())]
    Offline {
        /// The Hub's cache.
        cache: PathBuf,
    },
    /// The server or the way to it failed.
    #[error("{said}")]
    Server {
        /// What the server or the library said, without credentials.
        said: String,
    },
    /// The transfer ended before the end of the file.
    #[error("the transfer ended after {n_bytes} of {size} bytes")]
    CutOff {
        /// Bytes that came.
        n_bytes: u64,
        /// Bytes that the server told.
        size: u64,
    },
    /// It was given up on request.
    #[error("it was given up on request before all of it was here")]
    Stopped,
    /// No folder is known for what is fetched.
    #[error("there is no folder for what is fetched: none of {variables} is set")]
    NoCache {
        /// The environment's variables that could name one.
        variables: &'static str,
    },
    /// The cache could not be written or read.
    #[error("cannot keep it in `{}`", path.display())]
    Cache {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}
