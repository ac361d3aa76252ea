// AWS Organizations: one organization as a tree of units with accounts in them, which its management account and nobody else
// may read, page by page.
import { AwsError, modelError } from './model.mjs';

// {id, management, root, units: {ID: parent}, accounts: {ID: {parent, state}}}
export function putOrganization(state, { id, management, root, units = {}, accounts = {} }) {
	state.organization = { id, management, root, units, accounts };
	return state.organization;
}

function organizationOf({ state, caller }) {
	const { organization } = state;
	if (!organization)
		throw modelError('organizations', 'AWSOrganizationsNotInUseException', 'Your account is not in an organization.');
	if (caller.account !== organization.management)
		throw modelError(
			'organizations',
			'AccessDeniedException',
			"You don't have permissions to access this resource.",
		);
	return organization;
}

function pageOf({ state }, input, member, items) {
	const from = input.NextToken ? Number(/^page-(\d+)$/.exec(input.NextToken)?.[1]) : 0;
	if (!Number.isInteger(from)) throw modelError('organizations', 'InvalidInputException', 'NextToken is not valid');
	const to = from + Math.min(input.MaxResults ?? 20, state.settings.pageSize);
	return { [member]: items.slice(from, to), ...(to < items.length ? { NextToken: `page-${to}` } : {}) };
}

function showAccount(organization, [id, { state = 'ACTIVE' }]) {
	return {
		Id: id,
		Arn: `arn:aws:organizations::${organization.management}:account/${organization.id}/${id}`,
		Email: `${id}@example.com`,
		Name: `account ${id}`,
		Status: state === 'ACTIVE' ? 'ACTIVE' : 'SUSPENDED',
		State: state,
	};
}

function showUnit(organization, id) {
	const kind = id.startsWith('r-') ? 'root' : 'ou';
	return { Id: id, Arn: `arn:aws:organizations::${organization.management}:${kind}/${organization.id}/${id}`, Name: id };
}

function needParent(organization, id) {
	if (id !== organization.root && organization.units[id] === undefined)
		throw new AwsError(400, 'ParentNotFoundException', "We can't find a root or OU with the ParentId that you specified.");
}

function accountsOf(organization, fits) {
	return Object.entries(organization.accounts)
		.filter(([, account]) => fits(account))
		.map((entry) => showAccount(organization, entry));
}

export const operations = {
	ListAccounts(context, input) {
		const organization = organizationOf(context);
		return pageOf(
			context,
			input,
			'Accounts',
			accountsOf(organization, () => true),
		);
	},

	ListRoots(context, input) {
		const organization = organizationOf(context);
		return pageOf(context, input, 'Roots', [showUnit(organization, organization.root)]);
	},

	ListAccountsForParent(context, input) {
		const organization = organizationOf(context);
		needParent(organization, input.ParentId);
		return pageOf(
			context,
			input,
			'Accounts',
			accountsOf(organization, ({ parent }) => parent === input.ParentId),
		);
	},

	ListOrganizationalUnitsForParent(context, input) {
		const organization = organizationOf(context);
		needParent(organization, input.ParentId);
		const units = Object.keys(organization.units).filter((id) => organization.units[id] === input.ParentId);
		return pageOf(
			context,
			input,
			'OrganizationalUnits',
			units.map((id) => showUnit(organization, id)),
		);
	},
};
