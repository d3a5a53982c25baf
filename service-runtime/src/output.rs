//! Standard output and standard error as they are: either may take a part of what it is given, nothing for now, or nothing any more.

use std::{
    io::{self, ErrorKind, Write},
    os::fd::AsFd,
    thread,
    time::Duration,
};

/// Between two tries where the output takes nothing: the first and the longest pause.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// Writes all of `text` to standard output, and waits for a reader who is slow, also where the pipe does not (`O_NONBLOCK`, which
/// whoever shares the pipe may have set).
///
/// Errors: the output takes no more, because the disk is full, for example. A reader that has closed its end of the pipe has seen
/// enough: no error.
pub fn print(text: &str) -> io::Result<()> {
    match write_all(&mut Stdout, text.as_bytes()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// Writes a line to standard error; one that cannot be written is left out, for there is nowhere to say so.
pub fn complain(line: &str) {
    let _ = write_all(&mut io::stderr(), format!("{line}\n").as_bytes());
}

fn write_all(out: &mut impl Write, mut bytes: &[u8]) -> io::Result<()> {
    let mut pauses = Pauses::default();
    while !bytes.is_empty() {
        match out.write(bytes) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => {
                bytes = &bytes[written..];
                pauses = Pauses::default();
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(pauses.next_pause()),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Standard output without the buffer that the standard library puts before it: how much was written is what the system says.
pub(crate) struct Stdout;

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(rustix::io::write(io::stdout().as_fd(), bytes)?)
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
        write_all(&mut slow, b"one line\nand another\n").unwrap();
        assert_eq!(slow.taken, b"one line\nand another\n");
    }

    #[test]
    fn waits_longer_each_time_up_to_a_bound() {
        let mut pauses = Pauses::default();
        let milliseconds: Vec<_> = (0..8).map(|_| pauses.next_pause().as_millis()).collect();
        assert_eq!(milliseconds, [1, 2, 4, 8, 16, 32, 50, 50]);
    }
}
