//! One client of the API server.

use std::time::Duration;

use http::HeaderValue;
use http::header::USER_AGENT;
use hyper_util::client::legacy;
use hyper_util::rt::TokioExecutor;
use kube::client::{Body, ClientBuilder, ConfigExt};
use kube::{Client, Config};
use stepdown_wire::reach::{Limits, Plain};
use tower::layer::layer_fn;
use tower::{BoxError, ServiceBuilder};

use super::bounded::Bounded;
use super::error::ConfigMapError;

const AGENT: HeaderValue =
    HeaderValue::from_static(concat!("stepdown/", env!("CARGO_PKG_VERSION")));
/// How long each part of the way to a connection may take.
const CONNECT: Duration = Duration::from_secs(2);

/// A client of this configuration; must be called within a runtime. Tokens in files are read again while
/// they are used.
pub(super) fn stack(mut config: Config) -> Result<Client, ConfigMapError> {
    config.headers.push((USER_AGENT, AGENT));
    let client = if config.proxy_url.is_some() {
        by_proxy(config)
    } else {
        directly(&config)
    };
    client.map_err(|error| ConfigMapError::Client(Box::new(error)))
}

fn by_proxy(mut config: Config) -> Result<Client, kube::Error> {
    // A write that was sent twice unasked would be refused the second time, and nobody would know of the
    // first.
    config.default_retry = false;
    config.connect_timeout = Some(CONNECT);
    // Watches are silent for long; every other request has its own limit.
    config.read_timeout = None;
    config.write_timeout = None;
    let builder = ClientBuilder::try_from(config)?;
    Ok(builder.with_layer(&layer_fn(Bounded::new)).build())
}

/// Without what the library would do about names and addresses: a resolver that is silent at first would
/// use up the time of the connection, each time anew.
fn directly(config: &Config) -> Result<Client, kube::Error> {
    let connector = Plain::within(Limits::each(CONNECT));
    let connector = config.rustls_https_connector_with_connector(connector)?;
    let client = legacy::Client::builder(TokioExecutor::new()).build::<_, Body>(connector);
    let service = ServiceBuilder::new()
        .layer(layer_fn(Bounded::new))
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .map_err(BoxError::from)
        .service(client);
    Ok(Client::new(service, config.default_namespace.clone()))
}

#[cfg(test)]
mod tests {
    use http::Request;
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    use tokio::net::TcpListener;
    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn a_proxy_is_asked_for_the_way_to_the_api_server() {
        let proxy = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", proxy.local_addr().unwrap());
        let mut config = Config::new("https://api.example:6443".parse().unwrap());
        config.proxy_url = Some(address.parse().unwrap());
        let client = stack(config).unwrap();
        let request = Request::get("/version").body(Vec::new()).unwrap();
        let asking = tokio::spawn(async move { client.request_text(request).await });
        let limit = Duration::from_secs(60);
        let (stream, _) = timeout(limit, proxy.accept()).await.unwrap().unwrap();
        let mut stream = BufReader::new(stream);
        let mut asked = String::new();
        let read = timeout(limit, stream.read_line(&mut asked)).await;
        read.unwrap().unwrap();
        assert_eq!(asked, "CONNECT api.example:6443 HTTP/1.1\r\n");
        let refusal = b"HTTP/1.1 403 Forbidden\r\n\r\n";
        stream.write_all(refusal).await.unwrap();
        asking.await.unwrap().unwrap_err();
    }
}
