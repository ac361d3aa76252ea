// EKS is eventually consistent about access entries: one that was just made answers 404 for a while, one that was just
// deleted is still shown, and the API server heeds both, and policies, only later. settings.entryDelayMs is that while, 0 by
// default. Times are kept beside the entries, so that what is shown of them stays what AWS shows.
const times = new WeakMap();

function timesOf(object) {
	if (!times.has(object)) times.set(object, { madeAt: 0, goneAt: Infinity });
	return times.get(object);
}

const delayOf = (state) => state.settings.entryDelayMs ?? 0;

// An entry, or a policy on one, was made now.
export function noteMade(state, object) {
	timesOf(object).madeAt = Date.now() + delayOf(state);
}

export function isSeen(object) {
	const { madeAt, goneAt } = timesOf(object);
	return Date.now() >= madeAt && Date.now() < goneAt;
}

export function isDeleted(entry) {
	return timesOf(entry).goneAt !== Infinity;
}

// The entry of a principal as operations find it: undefined while it is not seen, and once it is gone for good.
export function seenEntry(cluster, principalArn) {
	const entry = cluster.entries.get(principalArn);
	if (entry && Date.now() >= timesOf(entry).goneAt) cluster.entries.delete(principalArn);
	return entry && isSeen(entry) ? entry : undefined;
}

// Whether a creation conflicts with it: it does, seen or not.
export function isTaken(cluster, principalArn) {
	seenEntry(cluster, principalArn);
	return cluster.entries.has(principalArn);
}

export function deleteEntry(state, cluster, entry) {
	if (delayOf(state) === 0) cluster.entries.delete(entry.principalArn);
	else timesOf(entry).goneAt = Date.now() + delayOf(state);
}

// All that there is, seen or not yet.
export function existing(cluster) {
	return [...cluster.entries.values()]
		.filter((entry) => Date.now() < timesOf(entry).goneAt)
		.map((entry) => ({ ...entry, policies: [...entry.policies.values()] }));
}

// What the API server's authorizer knows.
export function heeded(cluster) {
	return [...cluster.entries.values()]
		.filter(isSeen)
		.map((entry) => ({ ...entry, policies: [...entry.policies.values()].filter(isSeen) }));
}
