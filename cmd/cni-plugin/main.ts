process.stderr.write('CNI plugin isthmus\n');
