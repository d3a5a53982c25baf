//! Writes log lines to standard output from a thread of its own, so that no call ever waits for whoever reads them.
//!
//! The queue is bounded. When it is full, because the reader is slow or stopped, or because the disk is full, lines are lost, counted,
//! and the count is logged once there is room again. What is written is whole lines: the rest of one that went out in part is kept until
//! the output takes it.

use std::{
    io::{self, ErrorKind, Write},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, TrySendError, sync_channel},
    },
    thread,
    time::{Duration, Instant, SystemTime},
};

use crate::output::{Pauses, Unbuffered, complain, unwritten};

/// About two megabytes of lines.
const QUEUE: usize = 8_192;
/// What is handed to the system at once, in bytes: what a pipe holds.
const BATCH: usize = 64 * 1024;
/// How long a line waits for others to go out with: under load that is one wake-up and one system call for many lines.
const GATHER: Duration = Duration::from_millis(1);
/// What the last lines get to reach a reader who does not read.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// The end of it, in which no more lines are written but how many were lost.
const LAST_COUNT: Duration = Duration::from_millis(100);

/// Takes lines, without waiting.
#[derive(Clone)]
pub struct Writer {
    messages: SyncSender<Message>,
    lost: Arc<AtomicU64>,
}

/// Writes what is still queued when it is dropped, for at most a second.
pub struct Flusher {
    messages: SyncSender<Message>,
    end: Arc<OnceLock<Instant>>,
    flushed: Receiver<()>,
}

enum Message {
    Line(String),
    /// Nothing more is to come: the log is to be flushed.
    End,
}

/// Starts the thread.
pub fn start() -> (Writer, Flusher) {
    let (messages, queued) = sync_channel(QUEUE);
    let (flushed, is_flushed) = sync_channel(1);
    let (lost, end) = (Arc::new(AtomicU64::new(0)), Arc::new(OnceLock::new()));
    let writer = Writer { messages: messages.clone(), lost: lost.clone() };
    let mut log = Log::new(Unbuffered(io::stdout()), lost, end.clone());
    thread::Builder::new()
        .name("log".into())
        .spawn(move || log.run(&queued, &flushed))
        .expect("the system can start a thread");
    (writer, Flusher { messages, end, flushed: is_flushed })
}

impl Writer {
    /// Queues `line`, which ends with a newline, or counts it as lost.
    pub fn write(&self, line: String) {
        if self.messages.try_send(Message::Line(line)).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Flusher {
    fn drop(&mut self) {
        let until = Instant::now() + LAST_WORDS;
        let _ = self.end.set(until - LAST_COUNT);
        // A queue that is full has woken the thread already, and has room again once the thread gives up on the output.
        while let Err(TrySendError::Full(_)) = self.messages.try_send(Message::End) {
            if Instant::now() >= until {
                return;
            }
            thread::sleep(GATHER);
        }
        match self.flushed.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(()) | Err(RecvTimeoutError::Disconnected | RecvTimeoutError::Timeout) => {}
        }
    }
}

/// The lines on their way out.
struct Log<W> {
    out: W,
    /// Not written yet: whole lines, but for the first where it `is_torn`.
    unwritten: Vec<u8>,
    /// The beginning of the first line has been written.
    is_torn: bool,
    /// Lines lost that the output has not been told of.
    lost: Arc<AtomicU64>,
    /// Of how many lost lines the last of the unwritten lines tells; 0 where it is an ordinary line.
    told: u64,
    /// When to give up on lines that the output does not take.
    end: Arc<OnceLock<Instant>>,
    /// It has been said on standard error that the output takes none.
    complained: bool,
}

impl<W: Write> Log<W> {
    fn new(out: W, lost: Arc<AtomicU64>, end: Arc<OnceLock<Instant>>) -> Self {
        Log { out, unwritten: Vec::new(), is_torn: false, lost, told: 0, end, complained: false }
    }

    fn run(&mut self, messages: &Receiver<Message>, flushed: &SyncSender<()>) {
        while let Ok(first) = messages.recv() {
            if matches!(first, Message::Line(_)) {
                thread::sleep(GATHER);
            }
            let is_end = self.gather(first, messages);
            self.tell_how_many_were_lost();
            self.write(Duration::ZERO);
            if is_end {
                self.tell_how_many_were_lost();
                self.write(LAST_COUNT);
                let _ = flushed.try_send(());
            }
        }
    }

    /// Takes what is queued, up to what goes out at once. Returns whether the end is among it.
    fn gather(&mut self, first: Message, messages: &Receiver<Message>) -> bool {
        let mut is_end = false;
        let mut next = Ok(first);
        while let Ok(message) = next {
            match message {
                Message::Line(line) => self.unwritten.extend_from_slice(line.as_bytes()),
                Message::End => is_end = true,
            }
            next = if self.unwritten.len() < BATCH { messages.try_recv() } else { Err(TryRecvError::Empty) };
        }
        is_end
    }

    fn tell_how_many_were_lost(&mut self) {
        self.told = self.lost.swap(0, Ordering::Relaxed);
        if self.told > 0 {
            let time = humantime::format_rfc3339_millis(SystemTime::now());
            let _ = writeln!(self.unwritten, "{time} WARN log_lines_lost={}", self.told);
        }
    }

    /// Writes all there is. What a full disk or a slow reader does not take is tried again until `longer` than the end of the log;
    /// then, or where the output is gone, lines are lost.
    fn write(&mut self, longer: Duration) {
        let mut pauses = Pauses::default();
        while !self.unwritten.is_empty() {
            let tried = self.out.write(&self.unwritten);
            tried.as_ref().err().into_iter().for_each(|error| self.complain(error));
            match tried {
                Ok(written @ 1..) => {
                    self.is_torn = self.unwritten[written - 1] != b'\n';
                    self.unwritten.drain(..written);
                    pauses = Pauses::default();
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if !may_take_more_later(error.kind()) => return self.lose(),
                Ok(0) | Err(_) if self.end.get().is_some_and(|end| Instant::now() >= *end + longer) => {
                    return self.lose();
                }
                Ok(0) | Err(_) => thread::sleep(pauses.next_pause()),
            }
        }
    }

    /// Says once on standard error that the output fails, unless it is slow or without a reader: that is no reason to stop serving.
    fn complain(&mut self, error: &io::Error) {
        use ErrorKind as Kind;
        if !self.complained && !matches!(error.kind(), Kind::Interrupted | Kind::WouldBlock | Kind::BrokenPipe) {
            self.complained = true;
            complain(&format!("{}; serving goes on without it", unwritten(error, "standard output, the log")));
        }
    }

    /// Gives up on all lines but the rest of the one that is torn, without which the next line would go on in the middle of it.
    fn lose(&mut self) {
        let rest = match self.is_torn {
            true => self.unwritten.iter().position(|byte| *byte == b'\n').map_or(0, |newline| newline + 1),
            false => 0,
        };
        let lines = self.unwritten[rest..].iter().filter(|byte| **byte == b'\n').count();
        self.unwritten.truncate(rest);
        // The line that tells of lost ones is none of them.
        let told = if lines > 0 { self.told.saturating_sub(1) } else { 0 };
        self.lost.fetch_add(lines as u64 + told, Ordering::Relaxed);
    }
}

/// Whether an output that fails so is full, and not gone.
fn may_take_more_later(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::WouldBlock
            | ErrorKind::StorageFull
            | ErrorKind::QuotaExceeded
            | ErrorKind::FileTooLarge
            | ErrorKind::OutOfMemory
    )
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    /// Answers each write as the next of `turns` says, as many bytes taken or an error; then it takes all.
    struct Scripted {
        turns: Vec<Result<usize, ErrorKind>>,
        taken: Vec<u8>,
    }

    impl Write for Scripted {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let turn = if self.turns.is_empty() { Ok(bytes.len()) } else { self.turns.remove(0) };
            self.taken.write(&bytes[..turn?.min(bytes.len())])
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// A log of four lines whose queue has room for `room` of them, written to an output that is like that, once its end has come.
    fn log(room: usize, turns: &[Result<usize, ErrorKind>], end: Duration) -> (Vec<String>, u64) {
        let (messages, queued) = sync_channel(room + 1);
        let writer = Writer { messages: messages.clone(), lost: Arc::default() };
        for line in ["one=1\n", "two=2\n", "three=3\n", "four=4\n"].into_iter().take(room) {
            writer.write(line.into());
        }
        messages.try_send(Message::End).unwrap();
        // The queue is full now.
        for line in ["one=1\n", "two=2\n", "three=3\n", "four=4\n"].into_iter().skip(room) {
            writer.write(line.into());
        }
        drop(messages);
        let lost = writer.lost.clone();
        drop(writer);
        let out = Scripted { turns: turns.to_vec(), taken: Vec::new() };
        let mut log = Log::new(out, lost.clone(), Arc::new(OnceLock::from(Instant::now() + end)));
        log.run(&queued, &sync_channel(1).0);
        let text = String::from_utf8(log.out.taken).unwrap();
        // Whole lines, the time left out.
        let lines = text.split_inclusive('\n').map(|line| match line.split_once(" WARN ") {
            Some((_, line)) => line.to_owned(),
            None => line.to_owned(),
        });
        (lines.collect(), lost.load(Ordering::Relaxed))
    }

    /// Far more than the pauses of any of these tests take together.
    const LATER: Duration = Duration::from_secs(60);
    const ALL: [&str; 4] = ["one=1\n", "two=2\n", "three=3\n", "four=4\n"];

    #[test]
    fn loses_lines_instead_of_waiting_and_says_how_many() {
        let (lines, lost) = log(2, &[], LATER);
        assert_eq!((lines, lost), (vec!["one=1\n".into(), "two=2\n".into(), "log_lines_lost=2\n".into()], 0));
    }

    #[test]
    fn goes_on_in_the_middle_of_a_line_where_the_output_took_a_part_of_it() {
        for full in [
            ErrorKind::WouldBlock,
            ErrorKind::StorageFull,
            ErrorKind::QuotaExceeded,
            ErrorKind::FileTooLarge,
            ErrorKind::Interrupted,
        ] {
            let (lines, lost) = log(4, &[Ok(2), Err(full), Err(full), Ok(9), Ok(0), Err(full)], LATER);
            assert_eq!((lines, lost), (ALL.map(String::from).to_vec(), 0), "{full:?}");
        }
    }

    #[test]
    fn finishes_a_torn_line_and_counts_the_others_where_the_output_stays_full_until_the_end() {
        let full = Err(ErrorKind::StorageFull);
        let (lines, lost) = log(4, &[Ok(8), full], Duration::ZERO);
        assert_eq!((lines, lost), (vec!["one=1\n".into(), "two=2\n".into(), "log_lines_lost=2\n".into()], 0));
    }

    #[test]
    fn tells_a_reader_who_comes_back_how_many_lines_went_to_nobody() {
        // The first count is lost with the lines, and is in the second.
        let gone = Err(ErrorKind::BrokenPipe);
        let (lines, lost) = log(2, &[Ok(3), gone], LATER);
        assert_eq!((lines, lost), (vec!["one=1\n".into(), "log_lines_lost=3\n".into()], 0));
    }

    #[test]
    fn does_not_try_an_output_again_that_is_gone() {
        let gone = Err(ErrorKind::BrokenPipe);
        let (lines, lost) = log(4, &[gone, gone], LATER);
        assert_eq!((lines, lost), (vec![], 4));
    }
}
