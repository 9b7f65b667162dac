//! The CPU as an executor of launches: memory in another process, which runs the kernels

#![expect(unsafe_code, reason = "it stands in for a device")]

use crate::build::program;
use sepo_kernels::cuda::{
    Arg, DeviceError, Element, ElementKind, Executor, ExecutorId, Kernel, Launch, Matrix, MatrixProduct,
};
use std::cell::RefCell;
use std::io::{Read, Write};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, Stdio};

/// A process that serves memory and launches; see `server.h`
#[derive(Debug)]
pub(crate) struct OnCpu {
    id: ExecutorId,
    process: RefCell<Process>,
    /// decides in which order threads run
    seed: u32,
}

#[derive(Debug)]
struct Process {
    child: Child,
    to: ChildStdin,
    from: ChildStdout,
    said: ChildStderr,
}

impl Process {
    fn send(&mut self, bytes: &[u8]) {
        if self.to.write_all(bytes).is_err() {
            self.fail();
        }
    }

    fn receive(&mut self, bytes: &mut [u8]) {
        if self.from.read_exact(bytes).is_err() {
            self.fail();
        }
    }

    /// What the process said before it ended: a sanitizer's report, or its own
    fn fail(&mut self) -> ! {
        let mut said = String::new();
        self.said.read_to_string(&mut said).ok();
        panic!("{said}")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// The bytes of numbers, as device memory holds them
fn bytes_of<T: Element>(values: &[T]) -> &[u8] {
    // SAFETY: an `Element` is plain bytes without padding.
    unsafe { std::slice::from_raw_parts(values.as_ptr().cast::<u8>(), size_of_val(values)) }
}

impl OnCpu {
    /// A new process, or `None` where there is no C++ compiler
    pub(crate) fn new(seed: u32) -> Option<Self> {
        let mut child = Command::new(program()?)
            .env("ASAN_OPTIONS", "detect_stack_use_after_return=0:detect_leaks=0")
            .env("TSAN_OPTIONS", "halt_on_error=1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program was just built");
        let (to, from) = (child.stdin.take().expect("piped"), child.stdout.take().expect("piped"));
        let said = child.stderr.take().expect("piped");
        Some(Self {
            id: ExecutorId::unique(),
            process: RefCell::new(Process { child, to, from, said }),
            seed,
        })
    }

    /// Where as many bytes are from now on
    pub(crate) fn allocate(&self, n_bytes: usize) -> u64 {
        let mut process = self.process.borrow_mut();
        let mut request = vec![b'A'];
        request.extend((n_bytes as u64).to_le_bytes());
        process.send(&request);
        let mut address = [0; 8];
        process.receive(&mut address);
        u64::from_le_bytes(address)
    }

    pub(crate) fn free(&self, address: u64) {
        let mut request = vec![b'F'];
        request.extend(address.to_le_bytes());
        // Nobody listens any more where a kernel has failed.
        self.process.borrow_mut().to.write_all(&request).ok();
    }

    pub(crate) fn write<T: Element>(&self, address: u64, values: &[T]) {
        let mut request = vec![b'W'];
        request.extend(address.to_le_bytes());
        request.extend((size_of_val(values) as u64).to_le_bytes());
        request.extend(bytes_of(values));
        self.process.borrow_mut().send(&request);
    }

    pub(crate) fn read<T: Element>(&self, address: u64, len: usize) -> Vec<T> {
        let mut values = vec![T::default(); len];
        let n_bytes = size_of_val(values.as_slice());
        let mut request = vec![b'R'];
        request.extend(address.to_le_bytes());
        request.extend((n_bytes as u64).to_le_bytes());
        let mut process = self.process.borrow_mut();
        process.send(&request);
        // SAFETY: an `Element` is plain bytes, and any bytes are one.
        process.receive(unsafe { std::slice::from_raw_parts_mut(values.as_mut_ptr().cast::<u8>(), n_bytes) });
        values
    }
}

fn put_text(text: &str, to: &mut Vec<u8>) {
    to.extend((text.len() as u32).to_le_bytes());
    to.extend(text.as_bytes());
}

fn letter(kind: ElementKind) -> &'static str {
    match kind {
        ElementKind::F32 => "f",
        ElementKind::F64 => "d",
        ElementKind::U32 => "u",
        ElementKind::Bf16 => "b",
    }
}

fn type_of(arg: &Arg) -> String {
    match *arg {
        Arg::F32(_) => "f".into(),
        Arg::F64(_) => "d".into(),
        Arg::U32(_) => "u".into(),
        Arg::U64(_) => "U".into(),
        Arg::Read(to) => format!("{}*", letter(to.kind)),
        Arg::Write(to) => format!("{}*!", letter(to.kind)),
    }
}

fn put_matrix(matrix: &Matrix, to: &mut Vec<u8>) {
    to.extend(matrix.address.to_le_bytes());
    to.extend((matrix.row_stride as u64).to_le_bytes());
    to.extend((matrix.column_stride as u64).to_le_bytes());
    to.extend(u32::from(matrix.kind == ElementKind::Bf16).to_le_bytes());
    to.extend([0; 4]);
}

impl Executor for OnCpu {
    fn id(&self) -> ExecutorId {
        self.id
    }

    unsafe fn launch(&self, launch: &Launch<'_>) -> Result<(), DeviceError> {
        launch.check(self.id);
        let mut request = vec![b'L'];
        put_text(&format!("{}/{}", launch.kernel.source.op, launch.kernel.name), &mut request);
        for n in launch.grid.into_iter().chain([launch.block, launch.shared_bytes, self.seed]) {
            request.extend(n.to_le_bytes());
        }
        request.extend((launch.args.len() as u32).to_le_bytes());
        for arg in launch.args {
            put_text(&type_of(arg), &mut request);
            request.extend(arg.word().to_le_bytes());
        }
        let mut process = self.process.borrow_mut();
        process.send(&request);
        process.receive(&mut [0]);
        // The process has compared the list with the compiled kernel: what a device counts in the text must be as many.
        let Kernel { source, name } = launch.kernel;
        assert_eq!(source.n_parameters(name), Some(launch.args.len()), "parameters of `{name}`");
        Ok(())
    }

    unsafe fn matmul(&self, product: &MatrixProduct) -> Result<(), DeviceError> {
        let &MatrixProduct { a, b, out, m, n, k, scale, onto } = product;
        product.check(self.id);
        let matrices = [a, b, out, onto.unwrap_or(out)];
        for matrix in matrices {
            assert!(matrix.row_stride == 1 || matrix.column_stride == 1, "{matrix:?}");
        }
        let mut request = vec![b'M'];
        matrices.iter().for_each(|matrix| put_matrix(matrix, &mut request));
        [m, n, k].iter().for_each(|n| request.extend((*n as u64).to_le_bytes()));
        request.extend(scale.to_le_bytes());
        request.extend(u32::from(onto.is_some()).to_le_bytes());
        let mut process = self.process.borrow_mut();
        process.send(&request);
        process.receive(&mut [0]);
        Ok(())
    }
}
