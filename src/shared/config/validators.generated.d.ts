// Generated from schemas/*.schema.json by `npm run schemas`.
export {};
