//! `--listen`: how a watch stands, over HTTP on this machine. Three answers to GET, nothing else.

use crate::cli::error::CommandError;
use crate::cli::watch::report::Report;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HOST, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;

/// Connections at the same time; more wait.
const CONNECTIONS_MAX: usize = 16;
/// The longest that one may take.
const TIME_MAX: Duration = Duration::from_secs(10);

/// How a watch stands, for several threads.
pub type SharedReport = Arc<Mutex<Report>>;

/// Reads `--listen`: an address of this machine's own.
///
/// # Errors
/// A sentence saying what is understood.
pub fn parse_address(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr =
        text.parse().map_err(|_| "write an address and a port, 127.0.0.1:9464".to_owned())?;
    if address.ip().is_loopback() {
        Ok(address)
    } else {
        Err("only an address of the loopback, 127.0.0.1 or [::1]: nobody is asked who they are"
            .to_owned())
    }
}

/// Takes the address.
pub fn bind(address: SocketAddr) -> Result<TcpListener, CommandError> {
    let bound = TcpListener::bind(address).and_then(|listener| {
        listener.set_nonblocking(true)?;
        Ok(listener)
    });
    bound.map_err(|error| {
        CommandError::new(format!("cannot listen on {address}: {error}"))
            .hint("another process may have the port; --listen takes another one")
    })
}

/// Answers for as long as the process lives.
pub async fn serve(listener: TcpListener, report: SharedReport) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!("cannot listen: {error}"),
    };
    let free = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    while let Ok(place) = free.clone().acquire_owned().await {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of file handles, mostly: they come back.
                tracing::debug!("a connection was lost: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let report = report.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request: Request<Incoming>| {
                let response = answer(&request, &report);
                async move { Ok::<_, Infallible>(response) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(TIME_MAX)
                .keep_alive(false)
                .serve_connection(TokioIo::new(stream), service);
            // Whoever is too slow, or speaks no HTTP, gets no answer.
            let _ended = tokio::time::timeout(TIME_MAX, connection).await;
            drop(place);
        });
    }
}

fn answer<B>(request: &Request<B>, report: &SharedReport) -> Response<Full<Bytes>> {
    let text = |status, body: String| respond(status, "text/plain; charset=utf-8", body);
    if !is_ours(request.headers().get(HOST)) {
        // A page of another name that points here must not read along.
        return text(StatusCode::FORBIDDEN, "ask for 127.0.0.1\n".to_owned());
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut refused = text(StatusCode::METHOD_NOT_ALLOWED, "only GET\n".to_owned());
        refused.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return refused;
    }
    let report = report.lock().unwrap_or_else(PoisonError::into_inner);
    match request.uri().path() {
        // It answers, so it lives; a pass may take as long as it takes.
        "/healthz" => text(StatusCode::OK, "ok\n".to_owned()),
        "/readyz" => match report.unready() {
            None => text(StatusCode::OK, "ready\n".to_owned()),
            Some(why) => text(StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
        },
        "/metrics" => {
            respond(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", report.metrics())
        }
        _ => text(StatusCode::NOT_FOUND, "/healthz, /readyz and /metrics are here\n".to_owned()),
    }
}

fn respond(status: StatusCode, kind: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// True when this machine is asked for by an address of its own.
fn is_ours(host: Option<&HeaderValue>) -> bool {
    let Some(host) = host else { return true };
    let Ok(host) = host.to_str() else { return false };
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((name, _)) => name,
        None => host.split(':').next().unwrap_or_default(),
    };
    name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::{answer, parse_address};
    use crate::cli::watch::report::Report;
    use hyper::Request;
    use std::sync::{Arc, Mutex};

    #[test]
    fn only_this_machine_is_listened_to() {
        for good in ["127.0.0.1:9464", "[::1]:0", "127.0.0.2:80"] {
            assert!(parse_address(good).is_ok(), "{good}");
        }
        for bad in ["0.0.0.0:80", "[::]:80", "192.0.2.1:80", "localhost", "localhost:80", "9464"] {
            assert!(parse_address(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn three_paths_are_answered_to_whoever_asks_this_machine_by_get() {
        let report = Arc::new(Mutex::new(Report::new("2026-11-21T12:00:00Z".parse().unwrap())));
        let ask = |method: &str, path: &str, host: &str| {
            let request = Request::builder().method(method).uri(path).header("host", host);
            answer(&request.body(()).unwrap(), &report).status().as_u16()
        };
        let here = "127.0.0.1:9464";
        assert_eq!(ask("GET", "/healthz", here), 200);
        assert_eq!(ask("HEAD", "/healthz", "localhost:1"), 200);
        assert_eq!(ask("GET", "/readyz", "[::1]:9464"), 503);
        assert_eq!(ask("GET", "/metrics", here), 200);
        assert_eq!(ask("GET", "/", here), 404);
        assert_eq!(ask("POST", "/metrics", here), 405);
        assert_eq!(ask("GET", "/metrics", "contoso.example"), 403);
        assert_eq!(ask("GET", "/metrics", "127.0.0.1.contoso.example"), 403);
    }
}
