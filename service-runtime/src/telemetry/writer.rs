//! Writes log lines to standard output from a thread of its own, so that no call ever waits for whoever reads them.
//!
//! The queue is bounded. When it is full, because the reader is slow or stopped, lines are lost, counted, and the count is
//! logged once there is room again.

use std::{
    io::Write as _,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel},
    },
    time::{Duration, SystemTime},
};

/// About two megabytes of lines.
const QUEUE: usize = 8_192;
/// How long a line waits for others to go out with: under load that is one wake-up and one system call for many lines.
const GATHER: Duration = Duration::from_millis(1);
/// What the last lines get to reach a reader who does not read.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Takes lines, without waiting.
#[derive(Clone)]
pub struct Writer {
    lines: SyncSender<Message>,
    lost: Arc<AtomicU64>,
}

/// Writes what is still queued when it is dropped, for at most a second.
pub struct Flusher(SyncSender<Message>);

enum Message {
    Line(String),
    Flush(SyncSender<()>),
}

/// Starts the thread.
pub fn start() -> (Writer, Flusher) {
    let (sender, receiver) = sync_channel(QUEUE);
    let lost = Arc::new(AtomicU64::new(0));
    let writer = Writer { lines: sender.clone(), lost: lost.clone() };
    std::thread::Builder::new()
        .name("log".into())
        .spawn(move || run(&receiver, &lost, &mut std::io::stdout()))
        .expect("the system can start a thread");
    (writer, Flusher(sender))
}

impl Writer {
    /// Queues `line`, which ends with a newline, or counts it as lost.
    pub fn write(&self, line: String) {
        if self.lines.try_send(Message::Line(line)).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Flusher {
    fn drop(&mut self) {
        let (done, flushed) = sync_channel(1);
        // A full queue means that the output is not read: then there is nothing to wait for.
        if self.0.try_send(Message::Flush(done)).is_ok() {
            match flushed.recv_timeout(LAST_WORDS) {
                Ok(()) | Err(RecvTimeoutError::Disconnected | RecvTimeoutError::Timeout) => {}
            }
        }
    }
}

/// Writes batches: all that is queued goes out with one system call.
fn run(messages: &Receiver<Message>, lost: &AtomicU64, out: &mut impl std::io::Write) {
    let mut batch = Vec::new();
    while let Ok(first) = messages.recv() {
        if matches!(first, Message::Line(_)) {
            std::thread::sleep(GATHER);
        }
        let mut flushed = Vec::new();
        let mut next = Ok(first);
        while let Ok(message) = next {
            match message {
                Message::Line(line) => batch.extend_from_slice(line.as_bytes()),
                Message::Flush(done) => flushed.push(done),
            }
            next = if batch.len() < 64 * 1024 { messages.try_recv() } else { Err(TryRecvError::Empty) };
        }
        let lost = lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            let time = humantime::format_rfc3339_millis(SystemTime::now());
            let _ = writeln!(batch, "{time} WARN log_lines_lost={lost}");
        }
        // A reader that went away is no reason to stop serving.
        let _ = out.write_all(&batch).and_then(|()| out.flush());
        batch.clear();
        for done in flushed {
            let _ = done.send(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loses_lines_instead_of_waiting_and_says_how_many() {
        let (sender, receiver) = sync_channel(2);
        let writer = Writer { lines: sender, lost: Arc::default() };
        for line in ["one\n", "two\n", "three\n", "four\n"] {
            writer.write(line.into());
        }
        let lost = writer.lost.clone();
        drop(writer);
        let mut out = Vec::new();
        run(&receiver, &lost, &mut out);
        let out = String::from_utf8(out).unwrap();
        assert!(out.starts_with("one\ntwo\n"), "{out}");
        assert!(out.ends_with("WARN log_lines_lost=2\n"), "{out}");
    }
}
