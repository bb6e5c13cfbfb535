//! Makes connections to the upstream with reqwest, which knows TLS, the system's proxies and time-outs.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use http::{Method, Uri};
use hyper::rt::{Read, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use tower::{Layer, Service};
use url::Url;

use super::heard::{Listening, listening};
use super::opened;

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Connecting<T> = Pin<Box<dyn Future<Output = Result<T, BoxError>> + Send>>;

/// Connects to the host of a URI.
#[derive(Debug, Clone)]
pub(crate) struct Connector {
    client: reqwest::Client,
}

impl Connector {
    /// Connects as a client of `builder` would.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub(crate) fn new(builder: reqwest::ClientBuilder) -> Result<Self, reqwest::Error> {
        let client = builder.pool_max_idle_per_host(0).connector_layer(Take).build()?;
        Ok(Self { client })
    }
}

impl Service<Uri> for Connector {
    type Response = Line;
    type Error = BoxError;
    type Future = Connecting<Line>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, target: Uri) -> Self::Future {
        let client = self.client.clone();
        Box::pin(async move {
            let url = Url::parse(&target.to_string())?;
            let place = Place::default();
            // The request is never sent: its connection is taken from it.
            let request = reqwest::Request::new(Method::GET, url);
            let failure = PLACE.scope(place.clone(), client.execute(request)).await.err();
            opened::note();
            match (place.take(), failure) {
                (Some(line), _) => Ok(line),
                (None, Some(failure)) => Err(failure.without_url().into()),
                (None, None) => Err(NotTaken.into()),
            }
        })
    }
}

/// A connection, encrypted if its URI says so.
pub(crate) type Line = TokioIo<Listening<Box<dyn Wire>>>;

/// What a connection can do.
pub(crate) trait Wire: Read + Write + Connection + Send + Unpin {}

impl<T: Read + Write + Connection + Send + Unpin> Wire for T {}

impl Connection for Box<dyn Wire> {
    fn connected(&self) -> Connected {
        (**self).connected()
    }
}

/// Where a connection that was made for one caller is put.
#[derive(Clone, Default)]
struct Place(Arc<Mutex<Option<Line>>>);

impl Place {
    fn put(&self, line: Line) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(line);
    }

    fn take(&self) -> Option<Line> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

tokio::task_local! {
    static PLACE: Place;
}

/// Takes every connection that the connector inside makes.
#[derive(Debug, Clone, Copy)]
struct Take;

impl<S> Layer<S> for Take {
    type Service = Taking<S>;

    fn layer(&self, connector: S) -> Taking<S> {
        Taking(connector)
    }
}

#[derive(Debug, Clone)]
struct Taking<S>(S);

impl<S, R> Service<R> for Taking<S>
where
    S: Service<R, Error = BoxError>,
    S::Response: Wire + 'static,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = Connecting<S::Response>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let connecting = self.0.call(request);
        Box::pin(async move {
            let line = connecting.await?;
            let place = PLACE.try_with(Place::clone).map_err(|_| NotTaken)?;
            let line: Box<dyn Wire> = Box::new(line);
            place.put(TokioIo::new(listening(line)));
            Err(Taken.into())
        })
    }
}

/// How the request ends whose connection was taken.
#[derive(Debug, thiserror::Error)]
#[error("the connection was taken")]
struct Taken;

/// A defect: a connection was made where nobody could take it.
#[derive(Debug, thiserror::Error)]
#[error("a connection was made and not taken")]
struct NotTaken;
