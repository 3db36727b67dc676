//! Bytes as they come from the other side, cut into frames. Pure; knows nothing of what is in them.

/// The bytes that say how long a frame is.
const LENGTH: usize = 4;

/// Bytes as they come, cut into frames.
pub(super) struct Inbox {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl Inbox {
    /// A page: each one that is there is made at every start, and few runs ever need a second.
    const ROOM: usize = 4 * 1024;

    pub(super) fn new() -> Self {
        Self { bytes: vec![0; Self::ROOM], start: 0, end: 0 }
    }

    /// One that holds nothing and no memory.
    pub(super) fn empty() -> Self {
        Self { bytes: Vec::new(), start: 0, end: 0 }
    }

    fn length(&self) -> Option<usize> {
        let (length, _) = self.bytes[self.start..self.end].split_first_chunk::<LENGTH>()?;
        Some(LENGTH + u32::from_le_bytes(*length) as usize)
    }

    /// Where the next bytes go; never empty.
    pub(super) fn space(&mut self) -> &mut [u8] {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
            self.bytes.truncate(Self::ROOM);
            self.bytes.shrink_to(Self::ROOM);
        }
        let want = self.length().unwrap_or(LENGTH + 1);
        if self.bytes.len() - self.start < want || self.end == self.bytes.len() {
            self.bytes.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
            let room = self.bytes.len().max(want);
            self.bytes.resize(room, 0);
        }
        &mut self.bytes[self.end..]
    }

    /// So many bytes were put into the space.
    pub(super) fn filled(&mut self, count: usize) {
        self.end += count;
    }

    /// The next whole frame, without its length.
    pub(super) fn next(&mut self) -> Option<&[u8]> {
        let length = self.length().filter(|length| *length <= self.end - self.start)?;
        let frame = self.start + LENGTH..self.start + length;
        self.start += length;
        Some(&self.bytes[frame])
    }
}
