//! The batches of a run, read from the disk before they are asked for.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};

use crate::examples::Sides;
use crate::shuffle::Shuffler;
use crate::{Cursor, ExampleFile, Examples, TrainError, TrainExample};

/// Batches that are asked for before they are needed, the next one included.
const N_AHEAD: usize = 3;

/// Batches of examples in the order of a [`Shuffler`], with the place after the last one that was taken.
#[derive(Debug)]
pub(crate) struct Feed<'a> {
    examples: Examples<'a>,
    shuffler: Shuffler,
    batch_size: usize,
    /// After the batches that were taken; the shuffler may be ahead of it.
    cursor: Cursor,
    /// Where examples lie on disk.
    reader: Option<Reader>,
    /// Places after the batches that the reader was asked for, in their order.
    asked: VecDeque<Cursor>,
}

impl<'a> Feed<'a> {
    pub(crate) fn new(examples: Examples<'a>, shuffler: Shuffler, batch_size: usize) -> Self {
        let reader = examples.file().and_then(|(file, sides)| Reader::start(file.clone(), sides));
        let cursor = shuffler.cursor();
        Self { examples, shuffler, batch_size, cursor, reader, asked: VecDeque::new() }
    }

    pub(crate) fn cursor(&self) -> Cursor {
        self.cursor
    }

    /// The next batch; none of its examples is in memory afterwards unless the caller keeps it.
    pub(crate) fn next_batch(&mut self) -> Result<Vec<Cow<'a, TrainExample>>, TrainError> {
        let Some(reader) = &self.reader else {
            let numbers = self.shuffler.next_batch(self.batch_size)?;
            self.cursor = self.shuffler.cursor();
            return numbers.into_iter().map(|number| self.examples.get(number)).collect();
        };
        while self.asked.len() < N_AHEAD {
            let numbers = self.shuffler.next_batch(self.batch_size)?;
            reader.ask(numbers.into_iter().map(|number| self.examples.place_of(number)).collect());
            self.asked.push_back(self.shuffler.cursor());
        }
        let batch = reader.answer()?;
        if let Some(cursor) = self.asked.pop_front() {
            self.cursor = cursor;
        }
        Ok(batch.into_iter().map(Cow::Owned).collect())
    }
}

type Batch = Result<Vec<TrainExample>, TrainError>;

/// A thread that reads the records it is asked for, in turn.
#[derive(Debug)]
struct Reader {
    /// For errors.
    file: ExampleFile,
    asked: Option<Sender<Vec<usize>>>,
    read: Receiver<Batch>,
    thread: Option<JoinHandle<()>>,
}

impl Reader {
    /// None where the system gives no thread; records are then read when they are needed.
    fn start(file: ExampleFile, sides: Sides) -> Option<Self> {
        let (asked, to_read) = channel::<Vec<usize>>();
        let (answer, read) = channel();
        let ours = file.clone();
        let read_all = move || {
            for numbers in to_read {
                let one = |number| Ok(sides.of(Cow::Owned(file.get(number)?)).into_owned());
                if answer.send(numbers.into_iter().map(one).collect()).is_err() {
                    break;
                }
            }
        };
        let thread = thread::Builder::new().name("sepo-examples".to_owned()).spawn(read_all).ok()?;
        Some(Self { file: ours, asked: Some(asked), read, thread: Some(thread) })
    }

    /// Where the thread is gone, the answer says so.
    fn ask(&self, numbers: Vec<usize>) {
        if let Some(asked) = &self.asked {
            let _ = asked.send(numbers);
        }
    }

    fn answer(&self) -> Batch {
        self.read.recv().unwrap_or_else(|_| {
            let gone = std::io::Error::other("the thread that reads examples has ended");
            Err(TrainError::io(self.file.path())(gone))
        })
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        // With nothing more to read the thread ends, and with it the last use of the file.
        self.asked = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
