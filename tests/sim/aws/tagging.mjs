// The Resource Groups Tagging API: GetResources over the clusters' tags, as an index that lags behind by settings.tagDelayMs,
// page by page, with empty pages between (settings.tagEmptyPages). Clusters that never had a tag are not in it.
import { AwsError } from './model.mjs';
import { clustersOf } from './state.mjs';

const TOKEN = /^page-(\d+)$/;

function resourceOf(state, cluster) {
	const tags = cluster.tagHistory.filter((entry) => entry.at + (state.settings.tagDelayMs ?? 0) <= Date.now()).at(-1);
	if (!tags || (Object.keys(tags.tags).length === 0 && !cluster.tagHistory.some(hasTags))) return null;
	return {
		ResourceARN: cluster.arn,
		Tags: Object.entries(tags.tags).map(([Key, Value]) => ({ Key, Value })),
	};
}

function hasTags(entry) {
	return Object.keys(entry.tags).length > 0;
}

function fits(filters, resource) {
	return filters.every(({ Key, Values = [] }) =>
		resource.Tags.some((tag) => tag.Key === Key && (Values.length === 0 || Values.includes(tag.Value))),
	);
}

export const operations = {
	GetResources({ state, caller, region }, input) {
		const wanted = input.ResourceTypeFilters ?? ['eks:cluster'];
		const all = clustersOf(state, caller.account, region)
			.map((cluster) => resourceOf(state, cluster))
			.filter((resource) => resource && wanted.some((type) => type === 'eks' || type === 'eks:cluster'))
			.filter((resource) => fits(input.TagFilters ?? [], resource));
		const size = Math.min(input.ResourcesPerPage ?? 50, state.settings.pageSize);
		const token = input.PaginationToken ? TOKEN.exec(input.PaginationToken) : ['', '0'];
		if (!token) throw new AwsError(400, 'PaginationTokenExpiredException', 'The token is not valid');
		const hollow = state.settings.tagEmptyPages ? 2 : 1;
		const page = Number(token[1]);
		const isHollow = page % hollow === 1;
		const from = Math.floor(page / hollow) * size;
		const isLast = from + size >= all.length && (hollow === 1 || isHollow);
		return {
			PaginationToken: isLast ? '' : `page-${page + 1}`,
			ResourceTagMappingList: isHollow ? [] : all.slice(from, from + size),
		};
	},
};
