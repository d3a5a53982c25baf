//! One connection of a peer, over any stream of bytes.

use std::{io, time::Duration};

use bytes::{Buf, BytesMut};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    sync::watch,
    time::{Instant, sleep, sleep_until, timeout},
};

use crate::{
    frame::{self, PREFACE},
    server::{
        end::End,
        role::Role,
        session::Session,
        step::{Greet, Opening},
    },
};

/// How many bytes wait at the most for a client that does not read; with more it is not read from either.
const UNREAD: usize = 1 << 20;

/// How long a connection that is over waits for the other side to take what was written, and to close as well.
const LINGER: Duration = Duration::from_secs(1);

/// Plays the role on one connection until that is over.
///
/// All waiting is tokio's, so over `tokio::io::duplex` it also runs under a paused clock.
pub async fn serve<IO: AsyncRead + AsyncWrite + Unpin>(mut io: IO, role: &Role) -> End {
    let (opening, changes) = role.connected();
    let end = tokio::select! {
        biased;
        () = changes.drop_this(opening.spoilt) => End::Close,
        end = converse(&mut io, role, &opening) => end.unwrap_or(End::Gone),
    };
    if end == End::Close {
        let _ = timeout(LINGER, hang_up(&mut io)).await;
    }
    role.closed();
    end
}

async fn converse(io: &mut (impl AsyncRead + AsyncWrite + Unpin), role: &Role, opening: &Opening) -> io::Result<End> {
    let mut incoming = BytesMut::new();
    for step in &opening.steps {
        if let Some(end) = greet(io, step, &mut incoming).await? {
            return Ok(end);
        }
    }
    talk(io, Session::new(role, opening), incoming, role.changes()).await
}

async fn greet(
    io: &mut (impl AsyncRead + AsyncWrite + Unpin),
    step: &Greet,
    incoming: &mut BytesMut,
) -> io::Result<Option<End>> {
    match step {
        Greet::Settings(settings) => {
            let mut out = BytesMut::new();
            frame::put_settings(&mut out, settings);
            io.write_all(&out).await?;
        }
        Greet::Preface => {
            while incoming.len() < PREFACE.len() {
                if io.read_buf(incoming).await? == 0 {
                    return Ok(Some(End::Gone));
                }
            }
        }
        Greet::Bytes(bytes) => io.write_all(bytes).await?,
        Greet::Wait(ms) => sleep(Duration::from_millis(*ms)).await,
        Greet::Hold => {
            until_end(io).await?;
            return Ok(Some(End::Gone));
        }
        Greet::Close => return Ok(Some(End::Close)),
        Greet::Reset => return Ok(Some(End::Reset)),
    }
    Ok(None)
}

/// Frames in, frames out.
async fn talk(
    io: &mut (impl AsyncRead + AsyncWrite + Unpin),
    mut session: Session<'_>,
    mut incoming: BytesMut,
    mut changes: watch::Receiver<impl Sized>,
) -> io::Result<End> {
    let (mut reader, mut writer) = tokio::io::split(io);
    loop {
        session.tell_limit();
        if session.receive(&mut incoming).is_err() {
            return Ok(End::Close);
        }
        if let Some(end) = session.play(Instant::now()) {
            let _ = timeout(LINGER, writer.write_all(&session.out)).await;
            return Ok(end);
        }
        let wake = session.wake();
        tokio::select! {
            read = reader.read_buf(&mut incoming), if session.out.len() < UNREAD => if read? == 0 {
                return Ok(End::Gone);
            },
            written = writer.write(&session.out), if !session.out.is_empty() => session.out.advance(written?),
            () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => {}
            // Whoever plays the role holds it: there is always one to tell of changes.
            _ = changes.changed() => {}
        }
    }
}

/// A socket that is dropped with something unread is reset by the system, and a close shall be a close: so it reads.
async fn hang_up(io: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> io::Result<()> {
    io.shutdown().await?;
    until_end(io).await
}

/// Reads until the client closes, and forgets it.
async fn until_end(io: &mut (impl AsyncRead + Unpin)) -> io::Result<()> {
    let mut unread = [0; 4096];
    while io.read(&mut unread).await? > 0 {}
    Ok(())
}
