//! Webhooks as Standard Webhooks has them (<https://www.standardwebhooks.com>): an id, a time and a signature over both and the
//! body, so that a receiver can tell who sent it, drop repetitions, and refuse what is old.

use crate::config::incidents::IncidentsConfig;
use crate::failure::Failure;
use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use baton_orchestrator::workers::incidents::Webhook;
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Sha256;
use std::fmt;
use std::sync::Arc;

/// How secrets of this scheme are written.
const PREFIX: &str = "whsec_";

/// A signed webhook.
pub struct Signed {
    client: reqwest::Client,
    url: SecretString,
    key: SecretString,
}

impl fmt::Debug for Signed {
    /// Neither the address nor the key: both may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signed")
    }
}

/// The webhook that is configured, if one is.
///
/// # Errors
/// If no HTTP client can be made.
pub fn configured(config: &IncidentsConfig) -> Result<Option<Arc<dyn Webhook>>, Failure> {
    if config.webhook.expose_secret().is_empty() {
        return Ok(None);
    }
    let client = reqwest::Client::builder().timeout(config.timeout).redirect(reqwest::redirect::Policy::none());
    let client = client.build().map_err(|error| Failure::other(&error))?;
    Ok(Some(Arc::new(Signed { client, url: config.webhook.clone(), key: config.secret.clone() })))
}

/// `v1,` and the signature.
fn signature(secret: &str, id: &str, at: i64, body: &[u8]) -> Result<String, String> {
    let written = secret.strip_prefix(PREFIX).and_then(|text| STANDARD.decode(text).ok());
    let key = written.unwrap_or_else(|| secret.as_bytes().to_vec());
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).map_err(|_| "the secret is no key".to_owned())?;
    mac.update(format!("{id}.{at}.").as_bytes());
    mac.update(body);
    Ok(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
}

#[async_trait]
impl Webhook for Signed {
    async fn tell(&self, id: &str, at: i64, body: Vec<u8>) -> Result<(), String> {
        let signature = signature(self.key.expose_secret(), id, at, &body)?;
        let request = self.client.post(self.url.expose_secret()).header("content-type", "application/json");
        let request = request.header("webhook-id", id).header("webhook-timestamp", at.to_string());
        // The error's own words name the address.
        let answer = request.header("webhook-signature", signature).body(body).send().await;
        match answer.map(|answer| answer.status()) {
            Ok(status) if status.is_success() => Ok(()),
            Ok(status) => Err(format!("the webhook answered {}", status.as_u16())),
            Err(error) if error.is_timeout() => Err("the webhook did not answer in time".to_owned()),
            Err(_) => Err("the webhook could not be reached".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Router;
    use axum::extract::State;
    use axum::http::{HeaderMap, StatusCode};
    use axum::routing::post;
    use std::sync::Mutex;
    use std::time::Duration;

    #[test]
    fn the_scheme_signs_its_own_example() {
        // The example of the scheme's reference libraries.
        let signed = signature(
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            br#"{"test": 2432232314}"#,
        );
        assert_eq!(signed.as_deref(), Ok("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="));
    }

    type Heard = Arc<Mutex<Vec<(String, String, i64, Vec<u8>)>>>;

    async fn hear(State(heard): State<Heard>, headers: HeaderMap, body: axum::body::Bytes) -> StatusCode {
        let header = |name: &str| headers[name].to_str().expect("a text").to_owned();
        let at = header("webhook-timestamp").parse().expect("seconds");
        let mut heard = heard.lock().expect("whole");
        heard.push((header("webhook-id"), header("webhook-signature"), at, body.to_vec()));
        if heard.len() == 1 { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::NO_CONTENT }
    }

    #[tokio::test]
    async fn it_is_signed_and_a_refusal_is_one() {
        crate::tls::install();
        let heard = Heard::default();
        let router = Router::new().route("/hook", post(hear)).with_state(heard.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/hook", listener.local_addr().expect("an address"));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let secret = "a secret of some length, long enough";
        let config =
            IncidentsConfig { webhook: url.into(), secret: secret.to_owned().into(), timeout: Duration::from_secs(5) };
        let webhook = configured(&config).expect("a client").expect("a webhook");
        assert!(!format!("{webhook:?}").contains("127.0.0.1"));
        let refused = webhook.tell("incident-1", 17, b"{}".to_vec()).await;
        assert_eq!(refused, Err("the webhook answered 503".to_owned()));
        assert_eq!(webhook.tell("incident-1", 18, b"{}".to_vec()).await, Ok(()));
        for (id, signed, at, body) in heard.lock().expect("whole").iter() {
            assert_eq!((id.as_str(), body.as_slice()), ("incident-1", b"{}".as_slice()));
            assert_eq!(Ok(signed.clone()), signature(secret, id, *at, body));
        }
    }
}
