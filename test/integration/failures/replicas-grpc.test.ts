import { replicasSuite } from './replicas.js';

replicasSuite('grpc');
