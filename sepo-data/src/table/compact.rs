//! Thrift's compact encoding, walked without keeping anything.

use super::layout::{Kind, Layout};

/// Levels of structures and lists that are followed.
const MAX_DEPTH: usize = 24;

/// Where a walk ended before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// More bytes would be needed.
    Ends,
    /// No bytes behind could make it right.
    Malformed,
}

/// Told what a walk comes by. A path is the numbers of the fields from the outermost structure inwards; elements of a list
/// have the path of the list.
pub(super) trait Watcher {
    /// A whole number.
    fn number(&mut self, path: &[i16], value: i64);

    /// The end of a structure.
    fn leave(&mut self, _path: &[i16]) {}
}

/// A place in encoded bytes.
pub(super) struct Walk<'a, W> {
    bytes: &'a [u8],
    /// Bytes walked over.
    pub(super) at: usize,
    path: Vec<i16>,
    pub(super) watcher: W,
}

impl<'a, W: Watcher> Walk<'a, W> {
    pub(super) fn new(bytes: &'a [u8], watcher: W) -> Self {
        Self { bytes, at: 0, path: Vec::new(), watcher }
    }

    /// Walks over a structure.
    pub(super) fn structure(&mut self, layout: &Layout) -> Result<(), Stop> {
        self.fields(layout, MAX_DEPTH)
    }

    fn fields(&mut self, layout: &Layout, depth: usize) -> Result<(), Stop> {
        let depth = depth.checked_sub(1).ok_or(Stop::Malformed)?;
        let mut id = 0i16;
        loop {
            let head = self.byte()?;
            if head & 0xf == 0 {
                self.watcher.leave(&self.path);
                return Ok(());
            }
            let delta = i16::from(head >> 4);
            id = if delta == 0 {
                i16::try_from(self.signed()?).map_err(|_| Stop::Malformed)?
            } else {
                id.checked_add(delta).ok_or(Stop::Malformed)?
            };
            let known = layout.iter().find(|(known, _)| *known == id).map(|(_, kind)| *kind);
            self.path.push(id);
            match head & 0xf {
                // The value of a flag is its type.
                1 | 2 if known.is_none_or(|kind| matches!(kind, Kind::Bool)) => {}
                wire => self.value(wire, known, depth)?,
            }
            self.path.pop();
        }
    }

    fn value(&mut self, wire: u8, known: Option<Kind>, depth: usize) -> Result<(), Stop> {
        match (wire, known) {
            (3, None | Some(Kind::Byte)) => self.byte().map(|_| ()),
            (4..=6, Some(Kind::Int32)) => {
                let value = self.signed()?;
                i32::try_from(value).map_err(|_| Stop::Malformed)?;
                self.watcher.number(&self.path, value);
                Ok(())
            }
            (4..=6, None | Some(Kind::Int64)) => {
                let value = self.signed()?;
                self.watcher.number(&self.path, value);
                Ok(())
            }
            (7, None | Some(Kind::Double)) => self.skip(8),
            (8, None | Some(Kind::Binary)) => {
                let length = self.unsigned()?;
                self.skip(length)
            }
            (9 | 10, None) => self.list(None, depth),
            (9, Some(Kind::List(element))) => self.list(Some(*element), depth),
            (12, None) => self.fields(&[], depth),
            (12, Some(Kind::Struct(layout))) => self.fields(layout, depth),
            // Parquet's metadata has no maps, and no lists of flags.
            _ => Err(Stop::Malformed),
        }
    }

    fn list(&mut self, element: Option<Kind>, depth: usize) -> Result<(), Stop> {
        let depth = depth.checked_sub(1).ok_or(Stop::Malformed)?;
        let head = self.byte()?;
        let n_items = if head >> 4 == 15 { self.unsigned()? } else { u64::from(head >> 4) };
        // An element takes a byte at least: whoever reserves room for so many has the bytes to show for it.
        if n_items > (self.bytes.len() - self.at) as u64 {
            return Err(Stop::Ends);
        }
        (0..n_items).try_for_each(|_| self.value(head & 0xf, element, depth))
    }

    fn byte(&mut self) -> Result<u8, Stop> {
        let byte = *self.bytes.get(self.at).ok_or(Stop::Ends)?;
        self.at += 1;
        Ok(byte)
    }

    fn skip(&mut self, n_bytes: u64) -> Result<(), Stop> {
        if n_bytes > (self.bytes.len() - self.at) as u64 {
            return Err(Stop::Ends);
        }
        self.at += usize::try_from(n_bytes).map_err(|_| Stop::Ends)?;
        Ok(())
    }

    fn unsigned(&mut self) -> Result<u64, Stop> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Stop::Malformed)
    }

    fn signed(&mut self) -> Result<i64, Stop> {
        let value = self.unsigned()?;
        Ok((value >> 1).cast_signed() ^ -((value & 1).cast_signed()))
    }
}
