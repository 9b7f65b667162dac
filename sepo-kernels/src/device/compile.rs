//! From the text of kernels to what a device loads, by NVRTC, once for a text, a compiler, a driver and an architecture

#![expect(unsafe_code, reason = "NVRTC's own interface: cudarc's safe one stops at PTX")]

use super::{DeviceError, Source, probe_nvrtc};
use cudarc::nvrtc::{result, sys};
use std::ffi::{CStr, CString, c_char};
use std::io::Write;
use std::path::{Path, PathBuf};

/// The machine code of the kernels of `source` for an architecture such as `sm_90`
///
/// Machine code rather than PTX: a driver refuses PTX of a newer toolkit, and compiles it again at every start.
///
/// # Errors
/// [`DeviceError::LibraryMissing`] or [`DeviceError::LibraryBroken`] where there is no NVRTC, [`DeviceError::Compile`] where
/// it refuses the text or the architecture, or the latter is no name of one.
pub fn compile(source: &Source, architecture: &str) -> Result<Vec<u8>, DeviceError> {
    let failed =
        |log: String| DeviceError::Compile { op: source.op, architecture: architecture.to_owned(), log };
    check_architecture(source, architecture)?;
    probe_nvrtc()?;
    let text = CString::new(source.for_gpu()).map_err(|error| failed(error.to_string()))?;
    let name = CString::new(format!("{}.cu", source.op)).map_err(|error| failed(error.to_string()))?;
    let program = result::create_program(&text, Some(&name)).map_err(|error| failed(error.to_string()))?;
    let options = [format!("--gpu-architecture={architecture}"), "--std=c++17".to_owned()];
    // SAFETY: the program was created above and is destroyed below, after its last use; text and name outlive it.
    let compiled = unsafe {
        let compiled = result::compile_program(program, &options);
        let compiled = compiled.map_err(|error| log_of(program).unwrap_or_else(|| error.to_string()));
        let code = compiled.and_then(|()| code_of(program).map_err(|error| error.to_string()));
        result::destroy_program(program).and(Ok(code)).map_err(|error| failed(error.to_string()))
    };
    let code = compiled?.map_err(failed)?;
    if !is_machine_code(&code) {
        return Err(failed(
            "the compiler made no machine code; expected an architecture such as sm_90".to_owned(),
        ));
    }
    Ok(code)
}

/// Refuses what is no name of an architecture: it goes to NVRTC as a string of C, and into the name of a file
fn check_architecture(source: &Source, architecture: &str) -> Result<(), DeviceError> {
    if !architecture.is_empty()
        && architecture.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    {
        return Ok(());
    }
    let log = "the name of an architecture is letters, digits and `_`, such as sm_90".to_owned();
    Err(DeviceError::Compile { op: source.op, architecture: architecture.escape_default().to_string(), log })
}

/// Whether it starts as machine code does: with the header of an ELF file, all 64 bytes of it
///
/// The driver takes the code without its length, so what is shorter would be read past its end.
fn is_machine_code(code: &[u8]) -> bool {
    code.len() >= 64 && code.starts_with(b"\x7fELF")
}

/// # Safety
/// `program` must be created and not destroyed.
unsafe fn log_of(program: sys::nvrtcProgram) -> Option<String> {
    // SAFETY: as the caller's.
    let log = unsafe { result::get_program_log(program) }.ok()?;
    let bytes: Vec<u8> = log.iter().map(|&byte| byte.to_ne_bytes()[0]).collect();
    Some(CStr::from_bytes_until_nul(&bytes).ok()?.to_string_lossy().trim().to_owned())
}

/// # Safety
/// `program` must be compiled and not destroyed.
unsafe fn code_of(program: sys::nvrtcProgram) -> Result<Vec<u8>, result::NvrtcError> {
    let mut n_bytes = 0;
    // SAFETY: as the caller's; the buffer is as long as NVRTC asks for.
    unsafe {
        sys::nvrtcGetCUBINSize(program, &raw mut n_bytes).result()?;
        let mut code = vec![0_u8; n_bytes];
        sys::nvrtcGetCUBIN(program, code.as_mut_ptr().cast::<c_char>()).result()?;
        Ok(code)
    }
}

/// As [`compile`], from the disk where the same was compiled before
///
/// The key is the text, the architecture, the version of NVRTC and `driver`, whatever names the driver. A file holds the
/// code and its hash; one that does not fit is made again. Files are written under another name and renamed. Where the
/// disk cannot be used the code is compiled every time.
///
/// The hash finds damage, not malice: the folder is trusted as the program itself is. Where it is not there yet, it is made
/// for its owner alone.
///
/// # Errors
/// As [`compile`].
pub fn compiled(source: &Source, architecture: &str, driver: &str) -> Result<Vec<u8>, DeviceError> {
    compiled_in(cache_folder().as_deref(), source, architecture, driver)
}

fn compiled_in(
    folder: Option<&Path>,
    source: &Source,
    architecture: &str,
    driver: &str,
) -> Result<Vec<u8>, DeviceError> {
    check_architecture(source, architecture)?;
    probe_nvrtc()?;
    let Some(folder) = folder else {
        return compile(source, architecture);
    };
    let mut hasher = blake3::Hasher::new();
    for part in [&source.for_gpu(), architecture, &nvrtc_version(), driver] {
        hasher.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
    }
    let path =
        folder.join(format!("{}-{architecture}-{}.cubin", source.op, &hasher.finalize().to_hex()[..32]));
    if let Some(code) = std::fs::read(&path).ok().and_then(checked) {
        return Ok(code);
    }
    let code = compile(source, architecture)?;
    // Not an error of the run where it fails: the next one compiles again.
    write(folder, &path, &code).ok();
    Ok(code)
}

/// The code of a file, without its hash, where it is machine code and the hash is its own
fn checked(mut file: Vec<u8>) -> Option<Vec<u8>> {
    let n_bytes = file.len().checked_sub(blake3::OUT_LEN)?;
    let fits = blake3::hash(&file[..n_bytes]).as_bytes() == &file[n_bytes..];
    file.truncate(n_bytes);
    (fits && is_machine_code(&file)).then_some(file)
}

fn write(folder: &Path, path: &Path, code: &[u8]) -> std::io::Result<()> {
    make_private(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(code)?;
    file.write_all(blake3::hash(code).as_bytes())?;
    file.persist(path)?;
    Ok(())
}

/// Makes a folder that its owner alone may open, where it is not there yet
fn make_private(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(folder)
}

fn nvrtc_version() -> String {
    let (mut major, mut minor) = (0, 0);
    // SAFETY: two numbers to write to.
    let status = unsafe { sys::nvrtcVersion(&raw mut major, &raw mut minor) };
    format!("{major}.{minor} {status:?}")
}

/// `SEPO_KERNEL_CACHE`, or `sepo/kernels` in the user's folder for caches
fn cache_folder() -> Option<PathBuf> {
    let folder =
        |variable: &str| std::env::var_os(variable).filter(|path| !path.is_empty()).map(PathBuf::from);
    folder("SEPO_KERNEL_CACHE").or_else(|| {
        let caches = folder("XDG_CACHE_HOME").or_else(|| Some(folder("HOME")?.join(".cache")))?;
        Some(caches.join("sepo").join("kernels"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_hash(code: &[u8]) -> Vec<u8> {
        [code, blake3::hash(code).as_bytes()].concat()
    }

    #[test]
    fn a_damaged_file_is_not_believed() {
        let code = [b"\x7fELF".as_slice(), &[7; 60]].concat();
        let file = with_hash(&code);
        assert_eq!(checked(file.clone()), Some(code));
        let mut damaged = file.clone();
        damaged[1] ^= 1;
        assert_eq!(checked(damaged), None);
        assert_eq!(checked(file[..20].to_vec()), None);
    }

    #[test]
    fn what_is_no_machine_code_is_not_believed_whatever_its_hash() {
        for code in [&b""[..], b"code", b"\x7fELF", &[7; 100]] {
            assert_eq!(checked(with_hash(code)), None, "{code:?}");
        }
    }

    #[test]
    fn a_name_that_is_no_architecture_is_refused_before_anybody_sees_it() {
        for architecture in ["", "sm_90\0", "../sm_90", "sm 90"] {
            let error =
                compiled(super::super::sources()[0], architecture, "580").expect_err("no architecture");
            assert!(
                matches!(&error, DeviceError::Compile { log, .. } if log.contains("such as sm_90")),
                "{error}"
            );
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_for_code_is_its_owners_alone() {
        use std::os::unix::fs::PermissionsExt;
        let parent = tempfile::tempdir().expect("a folder");
        let folder = parent.path().join("sepo").join("kernels");
        write(&folder, &folder.join("file"), b"code").expect("it can be written");
        let mode = |path: &Path| std::fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
        assert_eq!((mode(&folder), mode(&folder.join("file"))), (0o700, 0o600));
    }

    #[test]
    fn what_was_compiled_before_comes_from_the_disk() {
        if let Err(reason) = probe_nvrtc() {
            println!("skipped: {reason}");
            return;
        }
        let folder = tempfile::tempdir().expect("a folder");
        let source = super::super::sources()[0];
        let compiled =
            |driver: &str| compiled_in(Some(folder.path()), source, "sm_90", driver).expect("it compiles");
        let n_files = || std::fs::read_dir(folder.path()).expect("it is there").count();
        let first = compiled("580");
        assert_eq!((compiled("580"), n_files()), (first.clone(), 1));
        let file =
            std::fs::read_dir(folder.path()).expect("it is there").next().expect("one").expect("its name");
        std::fs::write(file.path(), b"damaged").expect("it can be written");
        assert_eq!((compiled("580"), n_files()), (first.clone(), 1));
        assert_eq!((compiled("590"), n_files()), (first, 2));
    }
}
