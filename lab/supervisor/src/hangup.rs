//! A server that takes calls and dies of each: what it did with them nobody hears.

use std::io::{Read as _, Result, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};

/// The type of the frame that begins a call (RFC 9113, section 6.2).
const HEADERS: u8 = 1;

/// Bytes that a client begins a connection with.
const PREFACE: usize = 24;

/// Settings without a setting: length 0, type 4, no flags, stream 0.
const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];

/// Serves until the process ends; each connection closes when a call has come in on it.
///
/// # Errors
/// No port is free.
pub fn on_calls() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        for peer in listener.incoming().flatten() {
            // Whoever sends no call gets no connection either.
            let _ = a_call(peer);
        }
    });
    Ok(address)
}

/// Speaks as much HTTP/2 as it takes to be sent a call.
fn a_call(mut peer: TcpStream) -> Result<()> {
    peer.read_exact(&mut [0; PREFACE])?;
    peer.write_all(&SETTINGS)?;
    let mut frame = [0; 9];
    loop {
        peer.read_exact(&mut frame)?;
        if frame[3] == HEADERS {
            return Ok(());
        }
        let length = u32::from_be_bytes([0, frame[0], frame[1], frame[2]]);
        peer.read_exact(&mut vec![0; length as usize])?;
    }
}
