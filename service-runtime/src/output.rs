//! What a process says on standard output and standard error: written at once, also where whoever reads takes only a part of it or nothing
//! for now, and known where it could not be.

use std::{
    io::{self, ErrorKind, Write},
    os::fd::AsFd,
    thread,
    time::Duration,
};

use crate::printable::printable;

/// Between two tries where the output takes nothing: the first and the longest pause.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// Writes `text` to standard output as it is, and waits for a reader who is slow, also where the pipe does not (`O_NONBLOCK`, which
/// whoever shares the pipe may have set).
///
/// Errors: it could not be written, in one sentence that says why. A reader that has closed its end of the pipe has what it wanted:
/// no error.
pub fn to_stdout(text: &str) -> io::Result<()> {
    write_all(&mut Unbuffered(io::stdout()), text, "standard output")
}

/// Writes one line to standard error. Whatever a peer put into it, it stays one line and does nothing to the terminal.
///
/// Errors: as for standard output.
pub fn to_stderr(line: &str) -> io::Result<()> {
    write_all(&mut Unbuffered(io::stderr()), &format!("{}\n", printable(line)), "standard error")
}

/// Writes `error: <sentence>` to standard error. Where that cannot be written either, the exit code is all that can be told.
pub fn complain(sentence: &str) {
    let _ = to_stderr(&format!("error: {sentence}"));
}

fn write_all(out: &mut impl Write, text: &str, name: &str) -> io::Result<()> {
    let mut left = text.as_bytes();
    let mut pauses = Pauses::default();
    while !left.is_empty() {
        match out.write(left) {
            Ok(0) => return Err(unwritten(&ErrorKind::WriteZero.into(), name)),
            Ok(written) => {
                left = &left[written..];
                pauses = Pauses::default();
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(pauses.next_pause()),
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(()),
            Err(error) => return Err(unwritten(&error, name)),
        }
    }
    Ok(())
}

/// `cannot write to standard output: No space left on device (os error 28)`.
pub(crate) fn unwritten(error: &io::Error, name: &str) -> io::Error {
    io::Error::new(error.kind(), format!("cannot write to {name}: {error}"))
}

/// Standard output or standard error without the buffer of the standard library. It would still hold text at the end of the process, where no
/// error is heard of any more; and it takes a descriptor that is not open for writing for a success.
pub(crate) struct Unbuffered<T>(pub T);

impl<T: AsFd> Write for Unbuffered<T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(rustix::io::write(&self.0, bytes)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The pauses before an output is tried again: each twice as long as the one before it, up to 50 ms.
#[derive(Default)]
pub(crate) struct Pauses(Duration);

impl Pauses {
    pub fn next_pause(&mut self) -> Duration {
        self.0 = (self.0 * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE);
        self.0
    }
}

#[cfg(test)]
mod tests {
    use std::{fs::File, os::unix::net::UnixStream};

    use super::*;

    /// Takes three bytes, is interrupted, and takes none for now, in turns.
    #[derive(Default)]
    struct Slow {
        taken: Vec<u8>,
        turn: usize,
    }

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.turn += 1;
            match self.turn % 3 {
                0 => Err(ErrorKind::Interrupted.into()),
                1 => Err(ErrorKind::WouldBlock.into()),
                _ => self.taken.write(&bytes[..bytes.len().min(3)]),
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn writes_all_to_an_output_that_takes_a_little_at_a_time() {
        let mut slow = Slow::default();
        write_all(&mut slow, "one line\nand another\n", "it").unwrap();
        assert_eq!(slow.taken, b"one line\nand another\n");
    }

    #[test]
    fn waits_longer_each_time_up_to_a_bound() {
        let mut pauses = Pauses::default();
        let milliseconds: Vec<_> = (0..8).map(|_| pauses.next_pause().as_millis()).collect();
        assert_eq!(milliseconds, [1, 2, 4, 8, 16, 32, 50, 50]);
    }

    #[test]
    fn tells_what_cannot_be_written_from_what_nobody_reads_any_more() {
        let (one, other) = UnixStream::pair().unwrap();
        drop(other);
        write_all(&mut Unbuffered(one), "x", "it").unwrap();
        let read_only = File::open("/dev/null").unwrap();
        let error = write_all(&mut Unbuffered(read_only), "x", "it").unwrap_err();
        assert!(error.to_string().starts_with("cannot write to it: Bad file descriptor"), "{error}");
    }
}
