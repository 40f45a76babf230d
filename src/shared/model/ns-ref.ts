/** The namespace an Op acts in: the host's (the caller's own), or the endpoint's sandbox. */
export type NsRef = 'host' | 'sandbox';
