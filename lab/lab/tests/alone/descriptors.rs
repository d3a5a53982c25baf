//! A service that has no file descriptors left, or as many connections as it may: who is there goes on, who comes waits or
//! is told at once, and it is over as soon as there is room again.
#![cfg(target_os = "linux")]

use std::{
    fs,
    net::SocketAddr,
    time::{Duration, Instant},
};

use echo_proto::{EchoRequest, echo_service_client::EchoServiceClient};
use lab::{
    child::{Child, line_with},
    http::{self, Ask},
    program::Program,
    usage,
};
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit, setrlimit};
use tokio::{
    io::AsyncReadExt as _,
    net::TcpStream,
    time::{interval, timeout},
};
use tonic::transport::Channel;

/// Connections that fit, beside those that are there.
const ROOM: usize = 10;
/// Connections that come.
const CROWD: usize = 60;
/// How long the service is watched while nothing fits any more.
const WATCHED: Duration = Duration::from_secs(2);
/// 5 % of that. A tenth is what ten tries a second, and the calls, take in a build that is not optimised.
const CPU: Duration = Duration::from_millis(100);
/// The contract's second; the service looks ten times in it, which is slack enough.
const RECOVERY: Duration = Duration::from_secs(1);

async fn service_a(flags: &[&str]) -> Child {
    let program = Program::at(env!("CARGO_BIN_EXE_lab")).with_defaults();
    Child::start(&program, "service-a", &[&["--listen", "127.0.0.1:0"], flags].concat()).await.unwrap()
}

async fn client(service: &Child) -> EchoServiceClient<Channel> {
    EchoServiceClient::new(Channel::from_shared(service.url()).unwrap().connect().await.unwrap())
}

async fn echo(client: &mut EchoServiceClient<Channel>) {
    let answer = timeout(Duration::from_secs(1), client.echo(EchoRequest { msg: "hello".into() })).await;
    assert_eq!(answer.expect("the call goes on").unwrap().into_inner().echo, "hello");
}

/// Takes from a running process all descriptors but those it has open and `room` more.
fn leave_room(pid: u32, room: usize) {
    let most = Some((usage::descriptors(pid).unwrap() + room) as u64);
    let pid = Pid::from_raw(i32::try_from(pid).unwrap());
    prlimit(pid, Resource::Nofile, Rlimit { current: most, maximum: most }).unwrap();
}

/// Connections that say nothing.
async fn crowd(address: SocketAddr) -> Vec<TcpStream> {
    let mut crowd = Vec::new();
    for _ in 0..CROWD {
        crowd.push(TcpStream::connect(address).await.unwrap());
    }
    crowd
}

#[tokio::test]
async fn goes_on_without_descriptors_and_recovers_within_a_second() {
    let mut a = service_a(&[]).await;
    let pid = a.pid().unwrap();
    let mut existing = client(&a).await;
    echo(&mut existing).await;
    leave_room(pid, ROOM);
    let mut log = a.log();
    let mut crowd = crowd(a.address()).await;
    let line = line_with(&mut log, "state=not-accepting").await.unwrap();
    assert!(line.contains(" WARN ") && line.contains("Too many open files"), "{line}");

    let (before, since) = (usage::cpu(pid).unwrap(), Instant::now());
    let mut pause = interval(Duration::from_millis(100));
    while since.elapsed() < WATCHED {
        pause.tick().await;
        echo(&mut existing).await;
        // Its place goes to one of those that wait.
        crowd.swap_remove(0);
    }
    let cpu = usage::cpu(pid).unwrap() - before;
    assert!(cpu <= CPU, "{cpu:?} of CPU in {WATCHED:?}");
    let said: Vec<String> = std::iter::from_fn(|| log.try_recv().ok()).collect();
    assert!(!said.iter().any(|line| line.contains("accepting")), "one line for all that time, not {said:?}");

    drop(crowd);
    let room_again = Instant::now();
    let new = http::ask(a.address(), &Ask::get("/health")).await.unwrap();
    assert!(new.status == 200 && room_again.elapsed() <= RECOVERY, "{new} after {:?}", room_again.elapsed());
    echo(&mut existing).await;
    line_with(&mut log, "state=accepting").await.unwrap();
}

#[tokio::test]
async fn closes_one_connection_over_the_limit_at_once_and_takes_another_when_one_has_gone() {
    let a = service_a(&["--max-connections", "3"]).await;
    let mut existing = client(&a).await;
    echo(&mut existing).await;
    let held = [TcpStream::connect(a.address()).await.unwrap(), TcpStream::connect(a.address()).await.unwrap()];
    for _ in 0..CROWD {
        let mut one_over = TcpStream::connect(a.address()).await.unwrap();
        let closed = timeout(RECOVERY, one_over.read(&mut [0])).await.expect("it is closed, though it said nothing");
        assert!(matches!(closed, Ok(0)), "{closed:?}");
        echo(&mut existing).await;
    }

    drop(held);
    let room_again = Instant::now();
    // Until the service has seen that they are gone, a new one is still one over.
    while !http::ask(a.address(), &Ask::get("/health")).await.is_ok_and(|reply| reply.status == 200) {
        assert!(room_again.elapsed() <= RECOVERY, "the place is not free");
    }
    echo(&mut existing).await;
}

#[tokio::test]
async fn raises_the_soft_limit_to_the_hard_one_at_start() {
    let hard = getrlimit(Resource::Nofile).maximum;
    // The service inherits it from this process, for which it is enough too.
    setrlimit(Resource::Nofile, Rlimit { current: Some(500), maximum: hard }).unwrap();
    let a = service_a(&[]).await;
    let limits = fs::read_to_string(format!("/proc/{}/limits", a.pid().unwrap())).unwrap();
    let words: Vec<&str> = limits.lines().find(|line| line.starts_with("Max open files")).unwrap().split(' ').collect();
    let [soft, hard] = words.iter().filter(|word| !word.is_empty()).skip(3).take(2).collect::<Vec<_>>()[..] else {
        panic!("{words:?}");
    };
    assert!(soft == hard && **soft != *"500", "soft {soft}, hard {hard}");
}
