//! Models that are files of Hugging Face repositories, downloaded over HTTPS and resumed where they stopped.
//!
//! `HF_TOKEN` is sent when it is set; `HF_ENDPOINT` names another server.

use std::io::SeekFrom;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use http::header::{ACCEPT_ENCODING, CONTENT_RANGE, HeaderMap, RANGE};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode};
use tokio::io::{AsyncSeekExt, AsyncWriteExt};

use super::{ModelSource, Supply};
use crate::models::blueprint::{Blueprint, Piece, Place};
use crate::models::error::{SourceError, at};
use crate::models::reference::HuggingFaceFile;
use crate::models::workspace::Workspace;
use crate::secret::Secret;
use crate::terminal::{Progress, Transfer};

/// How often a download is resumed before it is given up.
const RESUMES: u32 = 5;

pub(in crate::models) struct HuggingFace {
    endpoint: String,
    token: Option<Secret>,
    pause: Duration,
}

/// One file to download.
struct Download<'a> {
    url: String,
    client: &'a Client,
    part: PathBuf,
    transfer: &'a Transfer,
}

impl HuggingFace {
    pub(in crate::models) fn from_environment() -> Self {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
        let endpoint = variable("HF_ENDPOINT").unwrap_or_else(|| "https://huggingface.co".to_owned());
        let token = variable("HF_TOKEN").map(|value| Secret::new(value.trim().to_owned()));
        Self::new(&endpoint, token)
    }

    pub(in crate::models) fn new(endpoint: &str, token: Option<Secret>) -> Self {
        Self { endpoint: endpoint.trim_end_matches('/').to_owned(), token, pause: Duration::from_millis(500) }
    }

    async fn supply_files(
        &self,
        blueprint: &Blueprint,
        workspace: &Arc<Workspace>,
        progress: Progress,
    ) -> Result<Supply, SourceError> {
        let offer = blueprint.origins.iter().find_map(|origin| match &origin.place {
            Place::HuggingFace(files) => Some((origin, files)),
            Place::Wheels(_) => None,
        });
        let (origin, files) = offer.ok_or(SourceError::NotOffered)?;
        let client =
            client(Policy::limited(10)).map_err(|source| SourceError::Http { url: self.endpoint.clone(), source })?;
        for (file, piece) in files.iter().zip(&origin.pieces) {
            if workspace.holds(piece) {
                continue;
            }
            let url = format!("{}/{}/resolve/{}/{}", self.endpoint, file.repository, file.revision, file.file);
            let piece = self.complete(piece, &url).await?;
            let transfer = progress.transfer(&format!("fetching {}", short(file)), piece.bytes);
            let part = workspace.downloads().join(format!("{}.part", piece.file));
            let download = Download { url, client: &client, part, transfer: &transfer };
            self.download(&download, &piece).await?;
            transfer.finish();
            let space = Arc::clone(workspace);
            let work = tokio::task::spawn_blocking(move || space.accept(&piece, &download.part));
            work.await.map_err(|source| SourceError::Interrupted { source })??;
        }
        Ok(Supply::Pieces(origin.clone()))
    }

    /// Asks for the size and the digest of a large file, which come with the redirection to its storage.
    async fn complete(&self, piece: &Piece, url: &str) -> Result<Piece, SourceError> {
        let failed = |source| SourceError::Http { url: url.to_owned(), source };
        let client = client(Policy::none()).map_err(failed)?;
        let response = self.authorised(client.head(url)).send().await.map_err(failed)?;
        if response.status().is_client_error() && response.status() != StatusCode::METHOD_NOT_ALLOWED {
            return Err(refused(url, response.status()));
        }
        let headers = response.headers();
        let digest = text(headers, "x-linked-etag").and_then(|tag| tag.trim_matches('"').parse().ok());
        let bytes = text(headers, "x-linked-size").and_then(|size| size.parse().ok());
        Ok(Piece { file: piece.file.clone(), bytes: piece.bytes.or(bytes), digest: piece.digest.or(digest) })
    }

    /// Downloads until the file is complete, resuming after a cut connection.
    async fn download(&self, download: &Download<'_>, piece: &Piece) -> Result<(), SourceError> {
        let mut resumes = 0;
        loop {
            let failure = match self.continue_download(download, piece).await {
                Ok(()) => return Ok(()),
                Err(failure) => failure,
            };
            if resumes == RESUMES || !may_pass(&failure) {
                return Err(failure);
            }
            tokio::time::sleep(self.pause * 2_u32.pow(resumes)).await;
            resumes += 1;
        }
    }

    /// One request for what is missing.
    async fn continue_download(&self, download: &Download<'_>, piece: &Piece) -> Result<(), SourceError> {
        let Download { url, client, part, transfer } = download;
        let failed = |source| SourceError::Http { url: url.clone(), source };
        let mut file =
            tokio::fs::File::options().create(true).truncate(false).write(true).open(part).await.map_err(at(part))?;
        let mut have = file.metadata().await.map_err(at(part))?.len();
        if have > 0 && piece.bytes == Some(have) {
            return Ok(());
        }
        let mut request = self.authorised(client.get(url));
        if have > 0 {
            request = request.header(RANGE, format!("bytes={have}-"));
        }
        let response = request.send().await.map_err(failed)?;
        have = match response.status() {
            StatusCode::PARTIAL_CONTENT if starts_at(&response, have) => have,
            StatusCode::OK => 0,
            // The part is longer than the file, or the answer is about another part: start afresh.
            StatusCode::RANGE_NOT_SATISFIABLE | StatusCode::PARTIAL_CONTENT => {
                file.set_len(0).await.map_err(at(part))?;
                return Err(refused(url, StatusCode::RANGE_NOT_SATISFIABLE));
            }
            status => return Err(refused(url, status)),
        };
        file.set_len(have).await.map_err(at(part))?;
        file.seek(SeekFrom::Start(have)).await.map_err(at(part))?;
        transfer.set(have);
        let mut body = response.bytes_stream();
        while let Some(chunk) = body.next().await {
            let chunk = chunk.map_err(failed)?;
            have += chunk.len() as u64;
            if let Some(expected) = piece.bytes.filter(|expected| have > *expected) {
                file.set_len(0).await.map_err(at(part))?;
                return Err(SourceError::Size { file: piece.file.clone(), found: have, expected });
            }
            file.write_all(&chunk).await.map_err(at(part))?;
            transfer.advance(chunk.len() as u64);
        }
        file.sync_all().await.map_err(at(part))
    }

    fn authorised(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        // A compressed answer would have another size and no usable ranges.
        let request = request.header(ACCEPT_ENCODING, "identity");
        match &self.token {
            Some(token) => request.bearer_auth(token.expose()),
            None => request,
        }
    }
}

impl ModelSource for HuggingFace {
    fn name(&self) -> String {
        "hugging-face".to_owned()
    }

    fn supply<'a>(
        &'a self,
        blueprint: &'a Arc<Blueprint>,
        workspace: &'a Arc<Workspace>,
        progress: Progress,
    ) -> BoxFuture<'a, Result<Supply, SourceError>> {
        self.supply_files(blueprint, workspace, progress).boxed()
    }
}

fn client(redirects: Policy) -> Result<Client, reqwest::Error> {
    Client::builder()
        .user_agent(concat!("mainpoint/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(Duration::from_secs(15))
        .read_timeout(Duration::from_secs(60))
        .redirect(redirects)
        .build()
}

/// Whether trying again may help.
fn may_pass(failure: &SourceError) -> bool {
    match failure {
        SourceError::Http { source, .. } => !source.is_connect() && !source.is_builder(),
        SourceError::Status { status, .. } => matches!(status, 416 | 429 | 500..=599),
        _ => false,
    }
}

fn starts_at(response: &Response, offset: u64) -> bool {
    text(response.headers(), CONTENT_RANGE.as_str()).is_some_and(|range| range.starts_with(&format!("bytes {offset}-")))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn refused(url: &str, status: StatusCode) -> SourceError {
    let hint = match status.as_u16() {
        401 | 403 => "; accept the model's terms on its page and set HF_TOKEN",
        404 => "; check organisation, repository, file name and revision",
        429 => "; too many requests, try again later",
        _ => "",
    };
    SourceError::Status { url: url.to_owned(), status: status.as_u16(), hint }
}

fn short(file: &HuggingFaceFile) -> &str {
    Path::new(&file.file).file_name().and_then(|name| name.to_str()).unwrap_or(&file.file)
}
