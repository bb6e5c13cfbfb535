//! nginx as a plain reverse proxy: a worker for each core, no buffers, kept connections to the upstream.
//!
//! It must not know what is measured.

use std::path::Path;
use std::process::Command;

use super::{Place, find, free_port, not_installed};
use crate::BenchError;
use crate::overhead::arms::Arm;
use crate::overhead::destination::{Destination, authority};
use crate::overhead::process::Recipe;

/// `nginx -e stderr -p DIRECTORY -c nginx.conf` on a free port.
///
/// # Errors
/// [`BenchError::Program`] if it is not installed, [`BenchError::Write`] if its configuration cannot be written.
pub(super) fn recipe(place: &Place<'_>) -> Result<Recipe, BenchError> {
    let program = find("nginx").ok_or_else(|| not_installed(Arm::Nginx))?;
    let directory = place.directory.join("nginx");
    std::fs::create_dir_all(&directory).map_err(BenchError::writing(&directory))?;
    let address = format!("127.0.0.1:{}", free_port()?);
    let file = directory.join("nginx.conf");
    std::fs::write(&file, configuration(&address, authority(place.upstream))).map_err(BenchError::writing(&file))?;
    let arguments = ["-e", "stderr", "-c", "nginx.conf", "-p"].map(str::to_owned);
    Ok(Recipe {
        version: version(&program),
        program,
        arguments: arguments
            .into_iter()
            .chain([format!("{}/", directory.display())])
            .collect(),
        environment: Vec::new(),
        destination: Destination::at(format!("http://{address}/v1")),
    })
}

/// Paths in it are below the directory that `-p` names.
fn configuration(address: &str, upstream: &str) -> String {
    format!(
        r#"daemon off;
worker_processes auto;
pid nginx.pid;
error_log stderr crit;
events {{
    worker_connections 4096;
}}
http {{
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    client_max_body_size 32m;
    keepalive_requests 100000000;
    upstream service {{
        server {upstream};
        keepalive 256;
        keepalive_requests 100000000;
    }}
    server {{
        listen {address};
        location / {{
            proxy_pass http://service;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_buffering off;
            proxy_request_buffering off;
        }}
    }}
}}
"#
    )
}

/// What `nginx -v` says, such as `1.22.1`; it says it on standard error.
fn version(program: &Path) -> String {
    let said = Command::new(program).arg("-v").output();
    let said = said.map(|output| String::from_utf8_lossy(&output.stderr).into_owned());
    said.ok()
        .and_then(|said| Some(said.trim().rsplit_once('/')?.1.to_owned()))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_has_no_buffers_and_balanced_braces() {
        let text = configuration("127.0.0.1:5", "127.0.0.1:4");
        for line in [
            "listen 127.0.0.1:5;",
            "server 127.0.0.1:4;",
            "proxy_buffering off;",
            "proxy_request_buffering off;",
            "proxy_http_version 1.1;",
        ] {
            assert!(text.contains(line), "{line}");
        }
        assert_eq!(text.matches('{').count(), text.matches('}').count());
    }
}
