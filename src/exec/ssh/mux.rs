//! What a client and a multiplexing master of OpenSSH say to each other, as far as sessions go; see PROTOCOL.mux in
//! its sources. Pure; knows no sockets.

const HELLO: u32 = 0x0000_0001;
const NEW_SESSION: u32 = 0x1000_0002;
const DENIED: u32 = 0x8000_0002;
const FAILURE: u32 = 0x8000_0003;
const EXIT: u32 = 0x8000_0004;
const OPENED: u32 = 0x8000_0006;

/// The one version there has been since 2010.
const VERSION: u32 = 4;
/// No reply is as long as this.
const LONGEST: usize = 256 * 1024;

/// What a client says first: who it is, and what it wants. After it the three descriptors follow, one by one.
pub(super) fn request(command: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(command.len() + 64);
    packet(&mut bytes, |body| {
        number(body, HELLO);
        number(body, VERSION);
    });
    packet(&mut bytes, |body| {
        number(body, NEW_SESSION);
        number(body, 0); // The only request on this connection.
        text(body, ""); // Reserved.
        for _ in ["terminal", "X11", "agent", "subsystem"] {
            number(body, 0);
        }
        number(body, u32::MAX); // No escape character.
        text(body, ""); // The kind of terminal.
        text(body, command);
    });
    bytes
}

fn packet(bytes: &mut Vec<u8>, fill: impl FnOnce(&mut Vec<u8>)) {
    let at = bytes.len();
    bytes.extend([0; 4]);
    fill(bytes);
    let length = (bytes.len() - at - 4) as u32;
    bytes[at..at + 4].copy_from_slice(&length.to_be_bytes());
}

fn number(bytes: &mut Vec<u8>, number: u32) {
    bytes.extend(number.to_be_bytes());
}

fn text(bytes: &mut Vec<u8>, text: &str) {
    number(bytes, text.len() as u32);
    bytes.extend(text.bytes());
}

/// What a master says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Reply {
    /// It speaks this version.
    Hello(u32),
    /// The session runs.
    Opened,
    /// There is none, because.
    Refused(String),
    /// The session's program has ended; its last output may still be on the way.
    Exit,
    /// Anything else, which is nothing to us.
    Other,
}

/// Replies out of what has been received, in pieces of any size.
#[derive(Default)]
pub(super) struct Replies(Vec<u8>);

impl Replies {
    pub(super) fn add(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// The next reply, if it is there; an error if this is no master.
    pub(super) fn next(&mut self) -> Option<Result<Reply, ()>> {
        let length = u32::from_be_bytes(*self.0.first_chunk()?) as usize;
        if length > LONGEST {
            return Some(Err(()));
        }
        let body = self.0.get(4..4 + length)?;
        let reply = read(body).ok_or(());
        self.0.drain(..4 + length);
        Some(reply)
    }
}

fn read(mut body: &[u8]) -> Option<Reply> {
    let mut take = || {
        let (head, tail) = body.split_first_chunk()?;
        body = tail;
        Some(u32::from_be_bytes(*head))
    };
    Some(match take()? {
        HELLO => Reply::Hello(take()?),
        OPENED => Reply::Opened,
        EXIT => Reply::Exit,
        DENIED | FAILURE => {
            let (_request, length) = (take()?, take()? as usize);
            Reply::Refused(String::from_utf8_lossy(body.get(..length)?).into_owned())
        }
        _ => Reply::Other,
    })
}

/// Whether we can speak to a master of that version.
pub(super) fn speaks(version: u32) -> bool {
    version == VERSION
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bytes(parts: &[&[u32]], reason: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        for part in parts {
            packet(&mut bytes, |body| part.iter().for_each(|part| number(body, *part)));
        }
        packet(&mut bytes, |body| {
            number(body, FAILURE);
            number(body, 0);
            text(body, reason);
        });
        bytes
    }

    #[test]
    fn a_request_is_what_the_protocol_says() {
        let bytes = request("id");
        let session = [
            [0x1000_0002, 0, 0, 0].map(u32::to_be_bytes).concat(),
            [0, 0, 0, u32::MAX].map(u32::to_be_bytes).concat(),
            [0, 2].map(u32::to_be_bytes).concat(),
            b"id".to_vec(),
        ];
        let session = session.concat();
        let head = [8, 1, 4, session.len() as u32].map(u32::to_be_bytes).concat();
        assert_eq!(bytes, [head, session].concat());
    }

    #[test]
    fn what_is_no_master_is_an_error() {
        for bytes in [b"SSH-2.0-OpenSSH_9.2".as_slice(), &[0, 0, 0, 2, 0, 0], &[0, 0, 0, 4, 0, 0, 0, 1]] {
            let mut replies = Replies::default();
            replies.add(bytes);
            assert_eq!(replies.next(), Some(Err(())), "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn replies_come_through_in_pieces(cut in 0..64usize, reason in ".{0,20}") {
            let bytes = bytes(&[&[HELLO, 4], &[OPENED, 0, 7], &[0x8000_0008, 7], &[EXIT, 7, 0]], &reason);
            let cut = cut.min(bytes.len());
            let (mut replies, mut all) = (Replies::default(), Vec::new());
            for piece in [&bytes[..cut], &bytes[cut..]] {
                replies.add(piece);
                all.extend(std::iter::from_fn(|| replies.next()).map(Result::unwrap));
            }
            let expected = [Reply::Hello(4), Reply::Opened, Reply::Other, Reply::Exit, Reply::Refused(reason)];
            prop_assert_eq!(all, expected);
        }
    }
}
