// The control endpoint of the API-server simulator; `--help` prints the table.
import { Cluster } from './cluster.mjs';
import { pod } from './seed.mjs';

function need(simulator, id) {
	const cluster = simulator.clusters.get(id);
	if (!cluster) throw Object.assign(new Error(`no cluster ${id}`), { status: 404 });
	return cluster;
}

function show(cluster) {
	return {
		endpoint: cluster.endpoint,
		certificateAuthority: cluster.certificateAuthority,
		port: cluster.port,
		connections: cluster.sockets.size,
	};
}

async function open(simulator, id, { account, region, name = id, pki, rbac }) {
	if (simulator.clusters.has(id)) throw new Error(`cluster ${id} is there already`);
	const cluster = new Cluster({ account, region, name }, { ...simulator.parts, pki, rbac });
	simulator.clusters.set(id, cluster);
	return show(await cluster.start());
}

function fill(cluster, { count, namespace = 'default', prefix = 'many' }) {
	for (let i = 0; i < count; i++) cluster.store.apply(pod(`${prefix}-${i}`, { namespace }));
	return { count };
}

export const routes = [
	[
		'PUT',
		'/clusters/ID',
		'{account, region, name?, pki?: {names, days}, rbac?: false (nothing for the group eksgate:proxy)} -> endpoint, certificateAuthority',
		(s, [id], body) => open(s, id, body),
	],
	['GET', '/clusters/ID', 'endpoint, authority and open connections', (s, [id]) => show(need(s, id))],
	[
		'DELETE',
		'/clusters/ID',
		'for good',
		async (s, [id]) => {
			await need(s, id).stop();
			s.clusters.delete(id);
		},
	],
	['POST', '/clusters/ID/stop', 'refuse connections, end those there are', (s, [id]) => need(s, id).stop()],
	['POST', '/clusters/ID/start', 'come back on the same port', async (s, [id]) => show(await need(s, id).start())],
	[
		'POST',
		'/clusters/ID/rotate',
		'{names?, days?}: another authority and certificate, same port',
		async (s, [id], body) => {
			await need(s, id).rotate(body);
			return show(need(s, id));
		},
	],
	[
		'POST',
		'/clusters/ID/restart',
		'{http1?}: same port, over HTTP/1.1 alone when asked to',
		async (s, [id], body) => {
			await need(s, id).restart(body);
			return show(need(s, id));
		},
	],
	[
		'GET',
		'/clusters/ID/requests',
		'what came in: method, target, headers, identity, user, groups, status, upgrade, protocol, ports, sizes',
		(s, [id]) => need(s, id).records,
	],
	[
		'DELETE',
		'/clusters/ID/requests',
		'forget them',
		(s, [id]) => {
			need(s, id).records.length = 0;
		},
	],
	[
		'POST',
		'/clusters/ID/objects',
		'create or replace an object, whatever its kind',
		(s, [id], body) => need(s, id).store.apply(body),
	],
	[
		'POST',
		'/clusters/ID/fill',
		'{count, namespace?, prefix?}: that many pods',
		(s, [id], body) => fill(need(s, id), body),
	],
	[
		'POST',
		'/clusters/ID/bulk',
		'{namespace, count, bytes, isCompressed?, pauseMs?, piecesMax?}: a list of ConfigMaps made while it is sent',
		(s, [id], { namespace, ...list }) => {
			need(s, id).store.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
			need(s, id).bulk.set(namespace, list);
		},
	],
	[
		'POST',
		'/clusters/ID/compression',
		'{isOn}: lists, and watches with a gzip member an event, for whoever accepts it',
		(s, [id], { isOn }) => {
			need(s, id).compresses = isOn;
		},
	],
	[
		'POST',
		'/clusters/ID/logs',
		'{namespace?, pod, line}: append a line',
		(s, [id], { namespace = 'default', pod: name, line }) => {
			need(s, id).logs.append(`${namespace}/${name}`, line);
		},
	],
	[
		'POST',
		'/clusters/ID/logs/end',
		'{namespace?, pod}: followers see the end',
		(s, [id], { namespace = 'default', pod: name }) => {
			need(s, id).logs.end(`${namespace}/${name}`);
		},
	],
	[
		'POST',
		'/clusters/ID/streams',
		'{how: end | cut}: watches and followed logs',
		(s, [id], { how }) => need(s, id).endStreams(how),
	],
	[
		'POST',
		'/clusters/ID/faults',
		'{kind, method?, path?, times?, chance?, ...}',
		(s, [id], body) => need(s, id).faults.add(body),
	],
	['GET', '/clusters/ID/faults', 'faults with their hits', (s, [id]) => need(s, id).faults.list()],
	['DELETE', '/clusters/ID/faults', 'no more faults', (s, [id]) => need(s, id).faults.clear()],
];
