//! TCP connections that another runtime takes over, as the one of signalling does once a connection carries SIP.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::runtime::Handle;

/// Place for the runtime that is to serve a connection.
#[derive(Clone, Debug, Default)]
pub struct Home(Arc<OnceLock<Handle>>);

impl Home {
    /// Has `runtime` serve the connection from the next time on that it is read or written. The first call counts.
    pub fn set(&self, runtime: &Handle) {
        let _ = self.0.set(runtime.clone());
    }
}

/// A TCP connection, served by the runtime that accepted it until its [`Home`] names another.
#[derive(Debug)]
pub struct MovableStream {
    /// `None`: the other runtime refused it.
    stream: Option<TcpStream>,
    home: Home,
    is_home: bool,
}

impl MovableStream {
    /// The connection, and the place for its next runtime.
    #[must_use]
    pub fn new(stream: TcpStream) -> (MovableStream, Home) {
        let home = Home::default();
        let stream = MovableStream {
            stream: Some(stream),
            home: home.clone(),
            is_home: false,
        };
        (stream, home)
    }

    /// The connection, where it is to be served now.
    fn here(&mut self) -> io::Result<Pin<&mut TcpStream>> {
        if !self.is_home
            && let Some(runtime) = self.home.0.get()
        {
            self.is_home = true;
            if let Some(stream) = self.stream.take() {
                let stream = stream.into_std()?;
                let _guard = runtime.enter();
                self.stream = Some(TcpStream::from_std(stream)?);
            }
        }
        let stream = self.stream.as_mut().map(Pin::new);
        stream.ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

impl AsyncRead for MovableStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.here()?.poll_read(cx, buffer)
    }
}

impl AsyncWrite for MovableStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        self.here()?.poll_write(cx, data)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.here()?.poll_write_vectored(cx, data)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.here()?.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.here()?.poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::runtime::Builder;

    use super::*;

    /// A runtime of one thread.
    fn runtime() -> tokio::runtime::Runtime {
        Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime")
    }

    #[test]
    fn a_connection_goes_on_where_its_first_runtime_has_ended() {
        let (first, second) = (runtime(), runtime());
        let (mut movable, mut peer) = first.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            let address = listener.local_addr().expect("an address");
            let peer = TcpStream::connect(address).await.expect("a connection");
            let (stream, _) = listener.accept().await.expect("a connection");
            let (mut movable, home) = MovableStream::new(stream);
            movable.write_all(b"one").await.expect("written");
            home.set(second.handle());
            (movable, peer.into_std().expect("a stream"))
        });
        drop(first);
        second.block_on(async { movable.write_all(b"two").await.expect("written") });
        peer.set_nonblocking(false).expect("blocking");
        let mut sent = [0; 6];
        std::io::Read::read_exact(&mut peer, &mut sent).expect("read");
        assert_eq!(&sent, b"onetwo");
        std::io::Write::write_all(&mut peer, b"three").expect("written");
        second.block_on(async {
            let mut heard = [0; 5];
            movable.read_exact(&mut heard).await.expect("read");
            assert_eq!(&heard, b"three");
            movable.shutdown().await.expect("shut down");
        });
        let mut rest = Vec::new();
        std::io::Read::read_to_end(&mut peer, &mut rest).expect("the end");
        assert!(rest.is_empty());
    }
}
