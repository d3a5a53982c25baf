//! What both services need to be a process.

use std::{io::Write as _, net::SocketAddr, process::ExitCode};

use anyhow::Context as _;
use tokio::{
    runtime::{Builder, Runtime},
    signal::{
        ctrl_c,
        unix::{SignalKind, signal},
    },
};
use tonic::transport::server::TcpIncoming;

/// Runs a server to its end.
pub(crate) fn ended(mut runtime: Builder, serve: impl Future<Output = anyhow::Result<()>>) -> ExitCode {
    let runtime: anyhow::Result<Runtime> = runtime.enable_all().build().map_err(anyhow::Error::from);
    match runtime.and_then(|runtime| runtime.block_on(serve)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Says where it listens, as ours do.
pub(crate) fn listen(address: SocketAddr) -> anyhow::Result<TcpIncoming> {
    let incoming = TcpIncoming::bind(address).context("cannot listen")?.with_nodelay(Some(true));
    let address = incoming.local_addr().context("no address")?;
    writeln!(std::io::stdout(), "listening=http://{address}").context("cannot write to standard output")?;
    Ok(incoming)
}

/// As tonic's own examples of a graceful shutdown do it.
pub(crate) async fn signalled() {
    if let Ok(mut term) = signal(SignalKind::terminate()) {
        tokio::select! { _ = term.recv() => {}, _ = ctrl_c() => {} }
    }
}
