//! Lets debuggers in, one at a time.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::say::aside;

/// How long a debugger waits for the one before it to leave.
const PATIENCE: Duration = Duration::from_secs(2);

/// Where debuggers come in. Who comes while another one is there is turned away.
pub struct Door {
    guests: Receiver<io::Result<(TcpStream, SocketAddr)>>,
    room: Arc<Room>,
}

#[derive(Default)]
struct Room {
    is_taken: Mutex<bool>,
    left: Condvar,
}

/// A debugger that is being served. Its place is free when this is dropped.
pub struct Guest {
    /// The connection.
    pub stream: TcpStream,
    /// Where it comes from.
    pub from: SocketAddr,
    room: Arc<Room>,
}

impl Door {
    /// Begins to let debuggers in.
    pub fn open(listener: TcpListener) -> io::Result<Self> {
        let (send, guests) = mpsc::channel();
        let room = Arc::new(Room::default());
        let theirs = Arc::clone(&room);
        thread::Builder::new().name("door".to_owned()).spawn(move || {
            loop {
                let guest = listener.accept();
                let (ends, from) = (guest.is_err(), guest.as_ref().ok().map(|(_, from)| *from));
                if ends || theirs.take() {
                    if send.send(guest).is_err() || ends {
                        return;
                    }
                } else if let Some(from) = from {
                    aside(&format!(
                        "note: a debugger at {from} was turned away: another one is connected"
                    ));
                }
            }
        })?;
        Ok(Self { guests, room })
    }

    /// Waits for the next debugger.
    pub fn next(&self) -> io::Result<Guest> {
        let (stream, from) = self.guests.recv().map_err(io::Error::other)??;
        Ok(Guest { stream, from, room: Arc::clone(&self.room) })
    }
}

impl Room {
    /// Takes the place, unless it does not become free.
    fn take(&self) -> bool {
        let taken = self.is_taken.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.left.wait_timeout_while(taken, PATIENCE, |taken| *taken);
        let (mut taken, _) = waited.unwrap_or_else(PoisonError::into_inner);
        !std::mem::replace(&mut *taken, true)
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        *self.room.is_taken.lock().unwrap_or_else(PoisonError::into_inner) = false;
        self.room.left.notify_one();
    }
}

/// The address at which a debugger finds a server that listens at `address`. One that listens at
/// all addresses has several; this is the one that leads out of the machine, or else only into it.
pub fn reachable(address: SocketAddr) -> SocketAddr {
    // Addresses for documentation. Nothing is sent there.
    let (any, outside, inside): (IpAddr, IpAddr, IpAddr) = match address.ip() {
        ip if !ip.is_unspecified() => return address,
        IpAddr::V4(any) => {
            (any.into(), Ipv4Addr::new(192, 0, 2, 1).into(), Ipv4Addr::LOCALHOST.into())
        }
        IpAddr::V6(any) => {
            let outside = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
            (any.into(), outside.into(), Ipv6Addr::LOCALHOST.into())
        }
    };
    let own = UdpSocket::bind((any, 0)).and_then(|socket| {
        socket.connect((outside, 9))?;
        socket.local_addr()
    });
    SocketAddr::new(own.map_or(inside, |own| own.ip()), address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_one_to_connect_to() {
        let given = |text: &str| text.parse::<SocketAddr>().unwrap();
        assert_eq!(reachable(given("127.0.0.1:1234")), given("127.0.0.1:1234"));
        for any in ["0.0.0.0:1234", "[::]:1234"] {
            let own = reachable(given(any));
            assert!(!own.ip().is_unspecified() && own.port() == 1234, "{any}: {own}");
            assert_eq!(own.is_ipv4(), given(any).is_ipv4());
        }
    }
}
