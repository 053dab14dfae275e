//! What a broker says of itself before anybody has logged in.

use lapin::uri::{AMQPScheme, AMQPUri};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Longest greeting: a broker tells its product, version, licence and capabilities in about half of a KiB.
const MAX_GREETING: u32 = 64 * 1024;

/// The server's version, from the first frame of AMQP 0-9-1's handshake; `None` over TLS, where nothing is said in the clear.
/// Callers bound the time.
///
/// # Errors
/// A sentence without the URL, which may hold a password.
pub async fn broker_version(url: &str) -> Result<Option<String>, String> {
    let uri: AMQPUri = url.parse().map_err(|_| "the broker's URL is not an AMQP URL".to_owned())?;
    if uri.scheme != AMQPScheme::AMQP {
        return Ok(None);
    }
    let told = async {
        let mut stream = TcpStream::connect((uri.authority.host.as_str(), uri.authority.port)).await?;
        stream.write_all(b"AMQP\x00\x00\x09\x01").await?;
        // A frame: its type, its channel, the length of what follows.
        let mut head = [0; 7];
        stream.read_exact(&mut head).await?;
        let length = u32::from_be_bytes([head[3], head[4], head[5], head[6]]).min(MAX_GREETING);
        let mut greeting = vec![0; length as usize];
        stream.read_exact(&mut greeting).await?;
        std::io::Result::Ok(greeting)
    };
    let greeting = told.await.map_err(|error| error.to_string())?;
    version(&greeting).map(Some).ok_or_else(|| "the broker does not tell its version".to_owned())
}

/// The field `version` of the server properties: a short string as its name, then `S` and a long string.
fn version(greeting: &[u8]) -> Option<String> {
    const NAME: &[u8] = b"\x07versionS";
    let start = greeting.windows(NAME.len()).position(|window| window == NAME)? + NAME.len();
    let length = greeting.get(start..start + 4)?;
    let length = u32::from_be_bytes([length[0], length[1], length[2], length[3]]) as usize;
    let text = greeting.get(start + 4..(start + 4).checked_add(length)?)?;
    String::from_utf8(text.to_vec()).ok().filter(|text| text.len() <= 64 && !text.chars().any(char::is_control))
}

#[cfg(test)]
mod tests {
    use super::version;

    #[test]
    fn the_version_is_found_in_a_greeting_and_nowhere_else() {
        let greeting = b"\x00\x0a\x00\x0a\x00\x09\x00\x00\x00\x40\x07productS\x00\x00\x00\x08RabbitMQ\x07versionS\x00\x00\x00\x063.10.8";
        assert_eq!(version(greeting).as_deref(), Some("3.10.8"));
        assert_eq!(version(b"\x07versionS\xff\xff\xff\xff3"), None);
        assert_eq!(version(b"HTTP/1.1 400 Bad Request"), None);
        assert_eq!(version(b""), None);
    }
}
