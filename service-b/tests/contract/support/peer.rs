//! A peer that speaks raw HTTP/2, far enough to misbehave at a chosen point of a call.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use tokio::sync::mpsc;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;

/// `:status: 200` from the static table, then `content-type: application/grpc` as a literal (RFC 7541).
const RESPONSE: &[u8] = b"\x88\x0f\x10\x10application/grpc";

/// What the peer does once a request's HEADERS are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// Closes the connection as soon as it is one, before any call.
    Flap,
    /// Says nothing more.
    Stall,
    /// Closes the connection.
    Close,
    /// Resets the connection.
    Reset,
    /// Sends response headers, then nothing more.
    HeadersThenStall,
    /// Sends response headers and half a message, then closes.
    HalfMessageThenClose,
}

impl Peer {
    /// The next event, which must come.
    pub async fn event(&mut self) -> (Event, Instant) {
        tokio::time::timeout(std::time::Duration::from_secs(10), self.events.recv()).await.unwrap().unwrap()
    }
}

/// A listening peer.
pub struct Peer {
    pub address: String,
    /// Requests whose headers have arrived.
    pub calls: Arc<AtomicUsize>,
    /// Connections that were accepted.
    pub connections: Arc<AtomicUsize>,
    /// When a request arrived, and when one was cancelled.
    pub events: mpsc::UnboundedReceiver<(Event, Instant)>,
}

/// What a peer saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    Called,
    Cancelled,
}

impl Peer {
    /// Listens, and behaves so on every connection.
    pub fn start(behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let calls = Arc::new(AtomicUsize::new(0));
        let (sender, events) = mpsc::unbounded_channel();
        let connections = Arc::new(AtomicUsize::new(0));
        let (counter, connected) = (calls.clone(), connections.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                connected.fetch_add(1, Ordering::SeqCst);
                let (calls, events) = (counter.clone(), sender.clone());
                // An error ends the connection: the other side closed it.
                std::thread::spawn(move || serve(stream, behaviour, &calls, &events));
            }
        });
        Peer { address, calls, connections, events }
    }
}

fn serve(
    mut stream: TcpStream,
    behaviour: Behaviour,
    calls: &AtomicUsize,
    events: &mpsc::UnboundedSender<(Event, Instant)>,
) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    frame(&mut stream, SETTINGS, 0, 0, &[])?;
    let mut preface = [0; 24];
    stream.read_exact(&mut preface)?;
    if behaviour == Behaviour::Flap {
        return Ok(());
    }
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head)?;
        let mut payload = vec![0; usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2])];
        stream.read_exact(&mut payload)?;
        let id = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        match (head[3], head[4] & ACK) {
            (SETTINGS, 0) => frame(&mut stream, SETTINGS, ACK, 0, &[])?,
            (PING, 0) => frame(&mut stream, PING, ACK, 0, &payload)?,
            (RST_STREAM, _) => drop(events.send((Event::Cancelled, Instant::now()))),
            (HEADERS, _) => {
                calls.fetch_add(1, Ordering::SeqCst);
                let _ = events.send((Event::Called, Instant::now()));
                if misbehave(&mut stream, behaviour, id)? {
                    return Ok(());
                }
            }
            _ => {}
        }
    }
}

/// True when the connection is over.
fn misbehave(stream: &mut TcpStream, behaviour: Behaviour, id: u32) -> std::io::Result<bool> {
    match behaviour {
        Behaviour::Flap | Behaviour::Stall => return Ok(false),
        Behaviour::Close => {}
        Behaviour::Reset => socket2::SockRef::from(&*stream).set_linger(Some(std::time::Duration::ZERO))?,
        Behaviour::HeadersThenStall => {
            frame(stream, HEADERS, END_HEADERS, id, RESPONSE)?;
            return Ok(false);
        }
        Behaviour::HalfMessageThenClose => {
            frame(stream, HEADERS, END_HEADERS, id, RESPONSE)?;
            frame(stream, DATA, 0, id, b"\0\0\0\0\x07\x0a\x05he")?;
        }
    }
    Ok(true)
}

fn frame(stream: &mut TcpStream, kind: u8, flags: u8, id: u32, payload: &[u8]) -> std::io::Result<()> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let id = id.to_be_bytes();
    let head = [length[1], length[2], length[3], kind, flags, id[0], id[1], id[2], id[3]];
    stream.write_all(&[&head, payload].concat())
}
