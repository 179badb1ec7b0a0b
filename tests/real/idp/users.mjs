// Who can sign in at the provider, and with which password. Both sides of the tests read it here.
export const USERS = { alice: 'wonderland', bob: 'builder' };
