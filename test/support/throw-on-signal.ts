/** Loaded into a process first (`node --import`): SIGUSR2 is an exception in it, SIGURG a rejection. */
process.on('SIGUSR2', () => {
  throw new Error('thrown\nby a test');
});
process.on('SIGURG', () => {
  void Promise.reject(new Error('rejected by a test'));
});
