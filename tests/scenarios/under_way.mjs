// Requests under way: what an API server has and does not answer, one over each version of HTTP. What ends somebody's access
// ends these, too, at both ends.
import assert from 'node:assert/strict';
import { Agent } from 'node:https';
import { nameOf, until } from './harness.mjs';

let count = 0;

// {ended() (a promise: once they have ended here and the API server saw it), isOpen(), end()}, when the API server has both.
export async function underWay(world, cluster, who) {
	const api = world.api(cluster);
	const target = `/api/v1/namespaces/default/pods/web-1?hang=${++count}`;
	const mine = async () => (await api('GET', '/requests')).filter((entry) => entry.target === target);
	await api('POST', '/faults', { kind: 'hang', path: `\\?hang=${count}$`, times: 2 });
	const [agent, session] = [new Agent(), who.h2()];
	const path = `/clusters/${nameOf(cluster)}${target}`;
	let left = 2;
	const outcomes = [who.request(path, { agent }), who.ask(session, path)].map(async (answer) => {
		const outcome = await answer.then(({ status }) => status, () => 'cut');
		left--;
		return outcome;
	});
	const end = () => {
		agent.destroy();
		session.destroy();
	};
	await until('the API server has the requests', async () => (await mine()).length === 2);
	const ended = async () => {
		await until('the requests end', () => left === 0);
		end();
		for (const outcome of await Promise.all(outcomes))
			assert.ok([401, 403, 503, 'cut'].includes(outcome), `ended with ${outcome}`);
		await until('the API server sees their end', async () => (await mine()).every(({ isClosed }) => isClosed));
	};
	return { ended, isOpen: () => left === 2, end };
}
