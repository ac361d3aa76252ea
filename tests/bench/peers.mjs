// What stands beside kubeproxyd: nginx as the static API server, haproxy and nginx as proxies. One thread, one process each,
// TLS 1.3 with a client certificate asked for and verified on the front, the API server's certificate verified at the back;
// nothing of what kubeproxyd does besides. Only the configurations; stage.mjs runs them.

const CIPHER = 'TLS_AES_128_GCM_SHA256';

function nginx(directory, name, http) {
	return `daemon off;
master_process off;
pid ${directory}/${name}.pid;
error_log stderr error;
worker_rlimit_nofile 20000;
events { worker_connections 9900; }
http {
	access_log off;
	default_type application/json;
	keepalive_timeout 1h;
	keepalive_requests 1000000000;
	http2_max_concurrent_streams 1000;
	ssl_protocols TLSv1.3;
	ssl_conf_command Ciphersuites ${CIPHER};
	client_body_temp_path ${directory}/${name}-body;
	proxy_temp_path ${directory}/${name}-proxy;
	fastcgi_temp_path ${directory}/${name}-fastcgi;
	uwsgi_temp_path ${directory}/${name}-uwsgi;
	scgi_temp_path ${directory}/${name}-scgi;
${http}
}
`;
}

// `files`: {path: file}. The API server.
export function upstreamConfig(directory, { port, certificate, key, files, types }) {
	const locations = Object.entries(files).map(
		([path, file]) => `		location = ${path} { alias ${file}; default_type ${types[path] ?? 'application/json'}; }`,
	);
	return nginx(
		directory,
		'upstream',
		`	open_file_cache max=16 inactive=1h;
	open_file_cache_valid 1h;
	server {
		listen 127.0.0.1:${port} ssl http2 backlog=4096;
		ssl_certificate ${certificate};
		ssl_certificate_key ${key};
${locations.join('\n')}
	}`,
	);
}

// `fronts`: [{port, upstream: port}], h1 and h2 to h1. `tls`: {certificate, key, clientCa, upstreamCa}.
export function nginxConfig(directory, fronts, tls) {
	const servers = fronts.map(
		({ port, upstream }) => `	upstream api_${port} {
		server 127.0.0.1:${upstream};
		keepalive 512;
		keepalive_requests 1000000000;
		keepalive_timeout 1h;
	}
	server {
		listen 127.0.0.1:${port} ssl http2 backlog=4096;
		ssl_certificate ${tls.certificate};
		ssl_certificate_key ${tls.key};
		ssl_verify_client optional;
		ssl_client_certificate ${tls.clientCa};
		location / {
			proxy_pass https://api_${port};
			proxy_http_version 1.1;
			proxy_set_header Connection "";
			proxy_buffering off;
			proxy_read_timeout 1h;
			proxy_ssl_protocols TLSv1.3;
			proxy_ssl_conf_command Ciphersuites ${CIPHER};
			proxy_ssl_verify on;
			proxy_ssl_name kubernetes;
			proxy_ssl_trusted_certificate ${tls.upstreamCa};
		}
	}`,
	);
	return nginx(directory, 'nginx', servers.join('\n'));
}

// `fronts`: [{port, upstream: port, alpn of the back: "h2" or "http/1.1"}], each for h1 and h2 clients. `tls` as above, with
// `bundle`: certificate and key in one file.
export function haproxyConfig(fronts, tls) {
	const proxies = fronts.map(
		({ port, upstream, alpn }) => `listen api_${port}
	bind 127.0.0.1:${port} backlog 4096 ssl crt ${tls.bundle} ca-file ${tls.clientCa} verify optional alpn h2,http/1.1
	http-reuse always
	server api 127.0.0.1:${upstream} ssl ca-file ${tls.upstreamCa} verify required verifyhost kubernetes alpn ${alpn} pool-purge-delay 1h
`,
	);
	return `global
	nbthread 1
	maxconn 9000
	ssl-default-bind-options ssl-min-ver TLSv1.3
	ssl-default-bind-ciphersuites ${CIPHER}
	ssl-default-server-options ssl-min-ver TLSv1.3
	ssl-default-server-ciphersuites ${CIPHER}
	tune.h2.initial-window-size 1048576
	tune.h2.max-concurrent-streams 250
defaults
	mode http
	timeout connect 10s
	timeout client 1h
	timeout server 1h
	timeout http-keep-alive 1h
${proxies.join('\n')}`;
}
