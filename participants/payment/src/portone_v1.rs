//! The payment gateway over PortOne's (formerly Iamport's) V1 REST API.

use crate::gateway::{Cancelled, Lookup, PaymentGateway};
use crate::money::Money;
use crate::retry_after;
use crate::throttle::Throttle;
use crate::token::TokenCache;
use crate::wire::{self, HttpAnswer};
use async_trait::async_trait;
use reqwest::header::{AUTHORIZATION, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Method, RequestBuilder, Response, Url, redirect};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use shop_domain::identifier::PaymentId;
use std::time::{Duration, SystemTime};
use tokio::sync::Semaphore;

/// Calls under way at once; more wait. A provider throttles far above that, and one process needs no more.
pub const CONCURRENCY: usize = 64;

/// How long a connection nobody uses is kept, up to twice as long. Less than servers usually do, so that they seldom close
/// one that is just being used again.
const IDLE: Duration = Duration::from_secs(20);

/// Longest answer that is read, in bytes. A payment is about 1 KiB, one with a hundred refunds about 30 KiB; a list that is
/// longer than this is asked for one by one.
const BODY_MAX: usize = 512 * 1024;

const TIMED_OUT: &str = "timed out";
const CANNOT_CONNECT: &str = "cannot connect";
const THROTTLED: &str = "it asked for a pause";

/// How to reach the provider, and as whom.
#[derive(Clone, Debug)]
pub struct PortOneConfig {
    /// For example `https://api.iamport.kr`.
    pub base_url: String,
    /// The account's key.
    pub imp_key: SecretString,
    /// The account's secret.
    pub imp_secret: SecretString,
    /// How long to wait for a connection.
    pub connect_timeout: Duration,
    /// How long one exchange may take. A call is at most two exchanges and a login, together twice this time.
    pub timeout: Duration,
}

impl PortOneConfig {
    /// One second to connect, three in all.
    #[must_use]
    pub fn new(base_url: impl Into<String>, imp_key: SecretString, imp_secret: SecretString) -> Self {
        Self {
            base_url: base_url.into(),
            imp_key,
            imp_secret,
            connect_timeout: Duration::from_secs(1),
            timeout: Duration::from_secs(3),
        }
    }
}

/// Why a gateway cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum GatewayConfigError {
    /// Not an absolute http or https URL without a query.
    #[error("the payment provider's base URL is not an http or https URL")]
    BaseUrl,
    /// The HTTP client cannot be built, for example because no TLS provider is installed in this process.
    #[error("the HTTP client cannot be built: {0}")]
    Client(String),
}

/// The gateway. Connections are pooled, the token is cached; both survive errors.
#[derive(Debug)]
pub struct PortOneV1 {
    client: Client,
    base_url: Url,
    imp_key: SecretString,
    imp_secret: SecretString,
    whole_call: Duration,
    token: TokenCache,
    throttle: Throttle,
    slots: Semaphore,
}

impl PortOneV1 {
    /// Makes the gateway; calls nobody yet. The process must have installed a rustls provider.
    ///
    /// # Errors
    /// [`GatewayConfigError`] for a bad URL or a client that cannot be built.
    pub fn new(config: PortOneConfig) -> Result<Self, GatewayConfigError> {
        let base_url = Url::parse(&config.base_url).map_err(|_| GatewayConfigError::BaseUrl)?;
        if !matches!(base_url.scheme(), "http" | "https") || base_url.query().is_some() || !base_url.has_host() {
            return Err(GatewayConfigError::BaseUrl);
        }
        let mut builder = Client::builder()
            .connect_timeout(config.connect_timeout)
            .timeout(config.timeout)
            .tcp_nodelay(true)
            .pool_max_idle_per_host(CONCURRENCY)
            .pool_idle_timeout(IDLE)
            // A provider that redirects a refund is not the one that was configured.
            .redirect(redirect::Policy::none());
        if is_loopback(&base_url) {
            // A proxy set for the outside world must not be asked for the sandbox next door.
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(|error| GatewayConfigError::Client(error.without_url().to_string()))?;
        Ok(Self {
            client,
            base_url,
            imp_key: config.imp_key,
            imp_secret: config.imp_secret,
            whole_call: config.timeout * 2,
            token: TokenCache::default(),
            throttle: Throttle::default(),
            slots: Semaphore::new(CONCURRENCY),
        })
    }

    /// One call, logged in. A refused token is renewed once: a call that was refused for its token had no effect.
    async fn call(&self, method: Method, url: Url, body: Option<&Value>) -> Result<HttpAnswer, String> {
        let call = async {
            let _slot = self.slots.acquire().await.map_err(|_| "the gateway is closed".to_owned())?;
            let token = self.token.get(self.login()).await?;
            let request = || {
                let request = self.client.request(method.clone(), url.clone());
                if let Some(body) = body { request.json(body) } else { request }
            };
            let answer = self.exchange(authorized(request(), &token.text)).await?;
            if answer.status != 401 {
                return Ok(answer);
            }
            self.token.drop_refused(&token).await;
            let token = self.token.get(self.login()).await?;
            self.exchange(authorized(request(), &token.text)).await
        };
        // Whoever waits for a slot or for another's login gives up in time, too.
        tokio::time::timeout(self.whole_call, call).await.unwrap_or_else(|_| Err(TIMED_OUT.to_owned()))
    }

    async fn login(&self) -> Result<(String, u64), String> {
        let body = json!({ "imp_key": self.imp_key.expose_secret(), "imp_secret": self.imp_secret.expose_secret() });
        let request = self.client.request(Method::POST, self.url(&["users", "getToken"])).json(&body);
        wire::access_token(&self.exchange(request).await?)
    }

    /// One exchange, unless the provider wants to be left alone: then nothing is sent. A provider that throttles says so with
    /// 429, or with 503 and the time to come back; neither has had an effect.
    async fn exchange(&self, request: RequestBuilder) -> Result<HttpAnswer, String> {
        if self.throttle.left().is_some() {
            return Err(THROTTLED.to_owned());
        }
        let response = request.send().await.map_err(|error| reason(&error).to_owned())?;
        let status = response.status().as_u16();
        let wanted = wanted_pause(&response);
        let body = read(response).await;
        if status == 429 || (status == 503 && wanted.is_some()) {
            self.throttle.refused(wanted);
            return Err(THROTTLED.to_owned());
        }
        self.throttle.answered();
        Ok(HttpAnswer { status, body: body? })
    }

    fn url(&self, path: &[&str]) -> Url {
        let mut url = self.base_url.clone();
        // Only a URL that cannot be a base has no segments, and a URL with a host always can.
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        url
    }
}

#[async_trait]
impl PaymentGateway for PortOneV1 {
    async fn lookup(&self, payment_id: &PaymentId) -> Lookup {
        match self.call(Method::GET, self.url(&["payments", payment_id.as_str()]), None).await {
            Ok(answer) => wire::lookup(&answer, payment_id),
            Err(why) => Lookup::Unavailable(why),
        }
    }

    async fn lookup_many(&self, payment_ids: &[PaymentId]) -> Vec<Option<Lookup>> {
        let mut url = self.url(&["payments"]);
        url.query_pairs_mut().extend_pairs(payment_ids.iter().map(|id| ("imp_uid[]", id.as_str())));
        match self.call(Method::GET, url, None).await {
            Ok(answer) => wire::lookups(&answer, payment_ids),
            // Nobody there, or one who throttles: asking for each alone would only make it worse.
            Err(why) if why == CANNOT_CONNECT || why == TIMED_OUT || why == THROTTLED => {
                vec![Some(Lookup::Unavailable(why)); payment_ids.len()]
            }
            Err(_) => vec![None; payment_ids.len()],
        }
    }

    async fn cancel(&self, payment_id: &PaymentId, expected_remaining: Money, reason: &str) -> Cancelled {
        let Some(amount) = expected_remaining.to_number() else {
            return Cancelled::Refused { message: "the amount cannot be written as the API's number".to_owned() };
        };
        // The checksum makes the provider compare its own balance with ours before it moves any money.
        let body = json!({ "imp_uid": payment_id.as_str(), "amount": amount, "checksum": amount, "reason": reason });
        match self.call(Method::POST, self.url(&["payments", "cancel"]), Some(&body)).await {
            Ok(answer) => wire::cancelled(&answer, payment_id),
            Err(why) => Cancelled::InDoubt(why),
        }
    }

    fn pause(&self) -> Option<Duration> {
        self.throttle.left()
    }
}

fn is_loopback(url: &Url) -> bool {
    url.host_str().is_some_and(|host| {
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
        host == "localhost" || address.is_ok_and(|address| address.is_loopback())
    })
}

fn authorized(request: RequestBuilder, token: &SecretString) -> RequestBuilder {
    match HeaderValue::try_from(format!("Bearer {}", token.expose_secret())) {
        Ok(mut value) => {
            value.set_sensitive(true);
            request.header(AUTHORIZATION, value)
        }
        // A token that is no header value: the provider answers 401, and a new one is fetched.
        Err(_) => request,
    }
}

/// How long the provider asks to be left alone.
fn wanted_pause(response: &Response) -> Option<Duration> {
    retry_after::wait(response.headers().get(RETRY_AFTER)?.to_str().ok()?, SystemTime::now())
}

async fn read(mut response: Response) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| reason(&error).to_owned())? {
        if body.len() + chunk.len() > BODY_MAX {
            return Err("the answer is too long".to_owned());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Why an exchange failed, in words that hold neither URL nor header.
fn reason(error: &reqwest::Error) -> &'static str {
    if error.is_timeout() {
        TIMED_OUT
    } else if error.is_connect() {
        CANNOT_CONNECT
    } else {
        "the connection broke"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gateway(base_url: &str) -> Result<PortOneV1, GatewayConfigError> {
        // Another test may have installed it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        PortOneV1::new(PortOneConfig::new(base_url, "key-canary".into(), "secret-canary".into()))
    }

    #[test]
    fn urls_are_built_below_any_base() {
        for (base, expected) in [
            ("https://api.iamport.kr", "https://api.iamport.kr/payments/imp_1"),
            ("https://api.iamport.kr/", "https://api.iamport.kr/payments/imp_1"),
            ("http://proxy:8080/iamport/", "http://proxy:8080/iamport/payments/imp_1"),
        ] {
            let gateway = gateway(base).expect("a gateway");
            assert_eq!(gateway.url(&["payments", "imp_1"]).as_str(), expected);
        }
        for bad in ["", "api.iamport.kr", "ftp://api.iamport.kr", "http://", "https://api.iamport.kr/?a=b"] {
            assert!(matches!(gateway(bad), Err(GatewayConfigError::BaseUrl)), "{bad}");
        }
    }

    #[test]
    fn the_time_limit_is_one_everywhere() {
        let config = PortOneConfig::new("http://127.0.0.1:1", "key".into(), "secret".into());
        let seconds = config.timeout.as_secs();
        let sample = include_str!("../../../deploy/shop.example.toml").split_once("[provider]").expect("a section").1;
        let section = sample.split("\n[").next().unwrap_or_default();
        assert!(section.contains(&format!("\ntimeout = \"{seconds}s\"\n")), "{section}");
        let page = include_str!("../../../docs/payment-provider.md");
        let told = format!("an exchange {seconds} s, a call with its login {} s", 2 * seconds);
        assert!(page.contains(&told), "{told}");
    }

    #[test]
    fn debug_holds_no_secret() {
        let gateway = gateway("http://127.0.0.1:1").expect("a gateway");
        assert!(!format!("{gateway:?}").contains("canary"));
    }
}
